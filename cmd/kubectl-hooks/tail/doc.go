// Package tail follows the records of the events API and prints them.
//
//	follow.go  lists and watches that go on where the last one ended
//	lines.go   a record as a line, in columns and colours
//
// It promises that a record which the server keeps is shown once, also when watches
// end and servers go away, and that texts which senders chose can't steer the
// terminal.
package tail
