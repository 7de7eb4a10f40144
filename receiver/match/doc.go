// Package match decides which routes of an endpoint an event takes.
//
//	types.go       patterns of event types
//	expression.go  CEL expressions, compiled once, bounded in cost
//	bounded.go     their calls, bounded in what one of them reads and makes
//	event.go       what an expression can see of an event
//	query.go       what it can see of the query
//	body.go        what it can see of the body: JSON, a form, or nothing for sure
//	match.go       both together
//
// Everything here is a function of values: it reads no clock and no network.
// What is compiled is safe for concurrent use.
package match
