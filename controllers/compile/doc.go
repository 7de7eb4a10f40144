// Package compile turns endpoints into what the receiver serves.
//
// It is a pure function of values, the time among them: it reads no clock, makes
// no call and logs nothing. All that an endpoint depends on was read before (Input), and
// all that comes of it is written afterwards (Result). The mistakes of an endpoint are
// values, too: every one is reported at once, with a reason that is a constant of the
// API and a sentence for the person who made it.
//
// Endpoint fails closed: an endpoint whose provider or secret is not in order
// gets a route that answers 503, so that the sender tries again; one whose
// path belongs to another gets none.
//
// compile.go puts a route together. Each other file adds one thing to it:
//
//	input.go, result.go                        what goes in, and what comes out
//	conflict.go, quota.go                      who has the path, and is there room for it?
//	references.go, parameters.go, fetched.go   the provider, its parameters, and its published keys
//	secrets.go, rotation.go                    the secrets that are valid now, and those that were
//	targets.go, authority.go                   where events go, and whose certificates are trusted there
//	signing.go, fresh.go                       how events are signed for a target
//	defaults.go, window.go, pause.go           what the spec leaves out, deduplication, and pauses
//	responses.go                               the answers that the sender wants
package compile
