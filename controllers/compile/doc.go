// Package compile turns endpoints into what the receiver serves.
//
// It is a pure function of values, the time among them: it reads no clock, makes
// no call and logs nothing. Whatever an endpoint depends on has been read before (Input), and
// whatever comes of it is written afterwards (Result). What is wrong with an
// endpoint is a value, too: every mistake is reported at once, with a reason
// that is a constant of the API and a sentence for the person who made it.
//
// Endpoint fails closed: an endpoint whose provider or secret is not in order
// gets a route that answers 503, so that the sender tries again; one whose
// path belongs to another gets none.
package compile
