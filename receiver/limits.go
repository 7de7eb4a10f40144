package receiver

import (
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// What a receiver is ready to bear, whoever asks. The limits of an endpoint
// come on top, from its route.
const (
	// maxHeaderBytes bounds request line and headers. The largest senders stay
	// below 8 kB; cookies are not among them.
	maxHeaderBytes = 32 << 10
	// headerTimeout bounds the time for the request line and headers.
	headerTimeout = 10 * time.Second
	// bodyTimeout bounds the time for a body: 25 MB, the largest that GitHub
	// sends, at 1 MB/s with some to spare.
	bodyTimeout = 30 * time.Second
	// answerTimeout bounds everything from the headers' end to the answer's end:
	// the body, the store, and a slow reader of the answer.
	answerTimeout = bodyTimeout + 30*time.Second
	// idleTimeout of a kept connection. Longer than the idle timeouts of the
	// proxies in front (60 s for most), because a connection that the server
	// closes first may just be taking a request.
	idleTimeout = 120 * time.Second

	// endpointBytes bounds the bodies of one endpoint in memory, so that one
	// endpoint can't take all of receiverBytes. It holds one body of the largest
	// size that a route may allow, and some small ones beside it.
	endpointBytes = route.MaxBodyBytes + 32<<20
	// receiverBytes bounds the bodies of all requests in memory. Each is there up
	// to three times while it is stored (as read, as a record, as sent to Redis),
	// and the dispatcher has a budget of its own.
	receiverBytes = 128 << 20

	// acceptTimeout bounds the step into Redis. The store has a timeout of its
	// own; this one is for when that fails.
	acceptTimeout = 10 * time.Second

	// syncMargin is how much longer than the target may take the mark of an event
	// lasts whose sender waits: for writing what came of it.
	syncMargin = 5 * time.Second
)

// What a sender is told to wait before it sends again.
const (
	// retryRoute: somebody has to mend a Secret or a route.
	retryRoute = 30 * time.Second
	// retryStore: Redis is away or full, failovers take some seconds.
	retryStore = 10 * time.Second
	// retryQueue: the target has to take some of what is stored, or somebody to purge
	// dead letters.
	retryQueue = 30 * time.Second
	// retryFetch: a host of the sender did not answer, and is asked again after
	// half a minute.
	retryFetch = 30 * time.Second
	// retryBusy: memory is free again when the requests in flight are done.
	retryBusy = 2 * time.Second
)

// reservation is how many bytes of memory a request holds, of its endpoint's
// and of the receiver's budget.
type reservation struct {
	endpoint, receiver *atomic.Int64
	held               int64
}

// grow takes n more bytes. It reports false, and takes none, if either budget
// has no room for them.
func (r *reservation) grow(n int64) bool {
	if r.endpoint.Add(n) > endpointBytes {
		r.endpoint.Add(-n)
		return false
	}
	if r.receiver.Add(n) > receiverBytes {
		r.endpoint.Add(-n)
		r.receiver.Add(-n)
		return false
	}
	r.held += n
	return true
}

// release gives everything back. A reservation that holds nothing may be released.
func (r *reservation) release() {
	if r.held == 0 {
		return
	}
	r.endpoint.Add(-r.held)
	r.receiver.Add(-r.held)
	r.held = 0
}
