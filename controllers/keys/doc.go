// Package keys fetches the public keys that senders publish (JWK Sets, PEM keys)
// and keeps them fresh.
//
//	cache.go  who uses which document, what is known of it, when it is due
//	fetch.go  one request: bounded in size and time, to the same host only
//
// Nobody waits for a request: a reconciliation asks the Cache, which knows the
// document or doesn't yet, and is told when that changes. The last good document
// is kept while the sender can't be reached; what nobody uses any more is
// forgotten.
package keys
