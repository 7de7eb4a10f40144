// Package receiver takes webhooks in: the part of Sallyport that faces senders.
//
// The life of one request (handler.go lists the steps in this order):
//
//	begin      source.go, requestid.go, traceparent.go   who asks, and what we call it
//	find       find.go                       the route of the path or Host, one look-up
//	admit      admit.go, limits.go           method, source, rate, size: cheap refusals first
//	read       body.go                       the raw body, once, bounded, exact
//	greet      greet.go                      a handshake that nobody signs? it has its own answer
//	certify    verify.go, certificate/       the certificate that the request names, from the cache
//	verify     verify.go                     authentic? nothing stateful happens before this
//	greet      greet.go, egress/             a signed handshake? it may have to be confirmed
//	identify   verify.go                     only now is the body parsed: event id and type
//	choose     choose.go, match/             which routes does it take?
//	take       accept.go, headers.go         dedupe and store, one atomic step in Redis
//	           sync.go                       or hand it to the target, and mark it as delivered
//	answer     answer.go, reject.go          2xx only for what is stored, delivered, unwanted, or greeted; else one place for all errors
//	end        handler.go, metrics.go        one audit record, metrics, memory given back
//
// Handshakes come after the body was read, because some are told by it. They are
// no events: nothing is stored.
//
// Around it: run.go puts the parts together and takes them apart again in
// order, server.go holds the two HTTP servers, ready.go says whether senders
// should be sent here, lease.go tells the manager which routes are served.
//
// It assumes that TLS ends in front of it, and that the route Secrets are the
// manager's. It promises that a 2xx is sent only after the event is verified and
// stored or delivered, or was before, or is wanted by no target, and as the answer to a
// handshake that the provider defines; that whatever is wrong on our own side is a 503
// with Retry-After, so that the sender sends again; that 410 is never sent,
// because several providers delete a subscription on it; and that neither a
// panic, nor Redis, nor the API server being away ends the process.
package receiver
