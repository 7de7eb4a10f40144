package intake

import (
	"io"
	"net/http"
	"time"
)

// readByServer is how much net/http reads of a body by itself, before it sends the
// answer, so that the connection can be kept.
const readByServer = 256 << 10

// prepareRefusal makes sure that a sender that is still sending gets its answer. A
// server that closes a connection on which bytes are unread resets it, and the sender
// sees that instead. So the answer comes first, and then what is left of the body is read
// for a while, see discardBody.
func (x *exchange) prepareRefusal() {
	switch length := x.r.ContentLength; {
	case x.body != nil || length == 0: // all was read
	case x.readBegun || length < 0 || length > readByServer:
		x.w.Header().Set("Connection", "close") // no bytes of a body can count as the next request
		x.discards = !x.gaveUp
	default:
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(discardGrace))
	}
}

// discardBody reads what is left of the body of a request that was refused.
func (x *exchange) discardBody() {
	if !x.discards {
		return
	}
	control := http.NewResponseController(x.w)
	if control.Flush() != nil {
		return
	}
	x.connection.await()
	rest := &arrival{
		body: x.r.Body, grace: discardGrace, timeout: discardTimeout,
		setDeadline: func(t time.Time) { _ = control.SetReadDeadline(t) },
	}
	_, _ = io.CopyN(io.Discard, rest, discardBytes) // an error means that the sender is gone, or stopped
}
