package intake

import (
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// The limits of a receiver for all requests. The route of an endpoint has further
// limits.
const (
	// maxHeaderBytes bounds request line and headers. The largest senders stay
	// below 8 kB; cookies are not among them.
	maxHeaderBytes = 32 << 10
	// headerTimeout bounds the time for the request line and headers.
	headerTimeout = 10 * time.Second
	// bodyTimeout bounds the time for a body. It is somewhat more than 25 MB, the
	// largest that GitHub sends, need at 1 MB/s.
	bodyTimeout = 30 * time.Second
	// answerTimeout bounds everything from the headers' end to the answer's end:
	// the body, the store, and a slow reader of the answer.
	answerTimeout = bodyTimeout + 30*time.Second
	// idleTimeout of a kept connection. It is longer than the idle timeouts of the
	// proxies in front (60 s for most), because a request may be on its way over a
	// connection that the server closes first.
	idleTimeout = 120 * time.Second

	// endpointBytes bounds the bodies of one endpoint in memory, so that one
	// endpoint can't take all of receiverBytes. It holds one body of the largest
	// size that a route may allow, and some small ones beside it.
	endpointBytes = route.MaxBodyBytes + 32<<20
	// receiverBytes bounds the bodies of all requests in memory. Each is there up
	// to three times while it is stored (as read, as a record, as sent to Redis),
	// and the dispatcher has a budget of its own.
	receiverBytes = 128 << 20

	// acceptTimeout bounds the step into Redis, in case the store's own timeout fails. It
	// comes on top of the time for which an event is tried again.
	acceptTimeout = 10 * time.Second

	// defaultAckTime is for how long a sender waits of which nobody knows that.
	defaultAckTime = 5 * time.Second

	// syncMargin is how much longer than the target's timeout the mark of an event with
	// mode Sync lasts, so that the outcome can be written.
	syncMargin = 5 * time.Second
)

// The values of Retry-After.
const (
	// retryRoute: somebody has to correct a Secret or a route.
	retryRoute = 30 * time.Second
	// retryStore: Redis is away or full, failovers take some seconds.
	retryStore = 10 * time.Second
	// retryQueue: the target has to take some of the stored events, or somebody has to
	// purge dead letters.
	retryQueue = 30 * time.Second
	// retryFetch: a host of the sender did not answer, and is asked again after
	// half a minute.
	retryFetch = 30 * time.Second
	// retryBusy: memory is free again when the requests in flight are done.
	retryBusy = 2 * time.Second
)

// reservation is the memory that a request has, from the budgets of its endpoint and
// of the receiver.
type reservation struct {
	endpoint, receiver *atomic.Int64
	bytes              int64
}

// grow takes n more bytes. It returns false, and takes none, if either budget has no
// room for them.
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
	r.bytes += n
	return true
}

// release gives everything back. An empty reservation may be released.
func (r *reservation) release() {
	if r.bytes == 0 {
		return
	}
	r.endpoint.Add(-r.bytes)
	r.receiver.Add(-r.bytes)
	r.bytes = 0
}
