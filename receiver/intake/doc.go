// Package intake takes webhooks in: it answers the requests of senders.
//
// The life of one request (handler.go lists the steps in this order):
//
//	begin      source.go, requestid.go, traceparent.go   who asks, and the names of the request
//	find       find.go                       the route of the path or Host, one look-up
//	admit      admit.go, strangers.go        method, source, rate, size: cheap refusals first
//	read       body.go, arrival.go           the raw body, once, bounded, exact
//	handshake  handshake.go                  an unsigned handshake? it has an answer of its own
//	certify    authenticate.go, certificate/ the certificate that the request names, from the cache
//	verify     authenticate.go               authentic? nothing stateful happens before this; then the rate limit
//	handshake  handshake.go, egress/         a signed handshake? it may have to be confirmed
//	identify   authenticate.go               only now is the body parsed: event id and type
//	choose     choose.go, match/             which routes take the event?
//	take       accept.go, headers.go         dedupe and store, one atomic step in Redis
//	           sync.go                       or hand it to the target, and mark it as delivered
//	answer     answer.go, reject.go          2xx only for events that are stored, delivered or unwanted, and for handshakes; all other statuses are in reject.go
//	end        handler.go, metrics.go        one audit record, metrics, memory given back
//	           discard.go                    the rest of a body that was refused
//
// Handshakes come after the body was read, because some are recognised by it. They
// are no events: nothing is stored. server.go is the HTTP server before the handler, and
// connections.go bounds its connections. The limits are in limits.go, and memory.go says
// who gets memory; queue.go is a list for both.
//
// It assumes that TLS ends in front of it, and that the route Secrets are the
// manager's. It promises that a 2xx is sent only after the event is verified and
// stored or delivered, or was before, or is wanted by no target, and as the answer to a
// handshake that the provider defines; that a fault of our own is a 503 with
// Retry-After, so that the sender sends again; that 410 is never sent, because several
// providers delete a subscription on it; and that a panic fails one request only.
package intake
