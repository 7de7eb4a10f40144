// Package receiver is the process that faces senders: it puts the parts together that
// take webhooks in and deliver them.
//
//	options.go    what a receiver works with
//	run.go        puts the parts together and starts them
//	server.go     the two HTTP servers, for senders and for the cluster
//	ready.go      decides whether the Service sends requests here
//	heartbeat.go  writes the Lease object, from which the manager learns which routes are served, and how Redis is
//	shutdown.go   ends the parts in order
//
// It promises that no outage of Redis or of the API server ends the process, and that
// requests in flight are answered before it ends.
package receiver
