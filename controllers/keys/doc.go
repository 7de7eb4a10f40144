// Package keys fetches the public keys that senders publish (JWK Sets, PEM keys)
// and keeps them fresh.
//
//	cache.go  the users of a document, its State, and when it is due
//	fetch.go  one request, and for how long its answer can be kept
//
// Nobody waits for a request: a reconciliation gets the State of a document at once, and
// runs again when that changes. The last good document is kept while the sender can't be
// reached. A document that has no users any more is forgotten.
package keys
