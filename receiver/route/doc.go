// Package route is the contract between the manager and the receivers: a [Route] is all
// that a receiver has to know of one endpoint (route.go).
//
// The manager encodes a Route into the data of one Secret (codec.go, object.go). A
// receiver watches these Secrets (watch.go), decodes and checks them (codec.go,
// validate.go), prepares each once (entry.go), and swaps the whole [Table] in atomically
// (live.go), so that a request needs one look-up (table.go, host.go) and nothing else.
// While a secret is being changed, the receiver observes which one senders use (use.go),
// and reports it in its Lease object (keyuse.go), as it does how it finds the store
// (storeview.go). Deliveries are signed anew by the entry
// that verified them (resign.go).
//
// It assumes that only the manager can write Secrets of the route namespace.
//
// It promises that a route is either served exactly as it was compiled, or
// fails closed: a route of an unknown version, with unknown fields, that is
// malformed or whose provider can't be compiled stays in the table and answers
// 503 with its reason. A lost connection to the API server changes nothing: the
// last table stays. Tables and entries are immutable and safe for concurrent use.
package route
