package intake

import (
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

	// bodyGrace is how long a body may take whatever its size, and slowestRate how many
	// bytes a second keep it from being given up after that, until bodyTimeout.
	bodyGrace   = 5 * time.Second
	slowestRate = 8 << 10
	// paceStep is by how much the deadline of a body moves at least.
	paceStep = time.Second

	// discardGrace, discardTimeout and discardBytes bound what is read of a body after
	// the request was refused.
	discardGrace   = 2 * time.Second
	discardTimeout = 10 * time.Second
	discardBytes   = route.MaxBodyBytes

	// smallBytes is the memory up to which a body is small: 64 KiB, and a byte to see that
	// it ends. Nearly all webhooks are small.
	smallBytes = 64<<10 + 1
	// arrivingBytes are for small bodies that are being read.
	arrivingBytes = 16 << 20
	// largeBytes are for bodies that are not small. An endpoint that is alone gets two
	// thirds of them, which is the largest body that a route may allow.
	largeBytes = route.MaxBodyBytes*3/2 + 4<<20
	// storingBytes are for small bodies of authentic events that are being stored. Each
	// is there up to three times then: as read, as a record, as sent to Redis.
	storingBytes = 16 << 20
	// waitingBytes are for events whose senders wait for the target.
	waitingBytes = 24 << 20

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
