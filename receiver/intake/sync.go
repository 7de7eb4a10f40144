package intake

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/store"
)

// relay hands the event to the target while the sender waits. Meanwhile a mark
// refuses copies of the event; it ends by itself if this process dies. relay goes on
// if the sender hangs up, because nothing undoes what the target did.
func (h *Handler) relay(x *exchange) error {
	timeout := time.Duration(x.entry.Route.Delivery.Timeout)
	found, mark, err := h.mark(x, timeout)
	// The sender may wait for the target in addition to the usual time of an answer. An
	// error means that a test's ResponseWriter has no connection.
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(timeout + answerTimeout - bodyTimeout))
	if err != nil {
		return rejectStore(err)
	}
	switch found {
	case store.Begun:
		return h.call(context.WithoutCancel(x.r.Context()), x, mark)
	case store.StoredBefore:
		return h.accept(x) // which revives a dead letter
	case store.ContentDelivered:
		x.outcome, x.reason = audit.Duplicate, reasonContentReplayed
	default:
		x.outcome = audit.Duplicate
	}
	return nil
}

// mark marks the event as being with its target. While Redis is away it is tried again
// like accept: the target has not been asked yet.
func (h *Handler) mark(x *exchange, timeout time.Duration) (store.Beginning, store.Mark, error) {
	options := h.beginOptions(x, timeout)
	ctx, cancel := h.bound(options.Patience)
	defer cancel()
	return h.Store.Begin(ctx, x.entry.Name, x.meta.ID, options)
}

func (h *Handler) beginOptions(x *exchange, timeout time.Duration) store.BeginOptions {
	accept := h.acceptOptions(x)
	return store.BeginOptions{Window: accept.Window, Lease: timeout + syncMargin, Content: accept.Content, Patience: accept.Patience}
}

// call asks the target. Before the sender gets a 2xx, the event is marked as
// delivered. Before the sender gets anything else, the mark is removed, so that the
// event is taken when it is sent again.
func (h *Handler) call(ctx context.Context, x *exchange, mark store.Mark) error {
	answer, err := h.Deliverer.Call(ctx, x.storedEvent())
	if !errors.Is(err, deliver.ErrNotNow) && !errors.Is(err, deliver.ErrCrowded) {
		x.called = &answer
	}
	if err != nil {
		if err := h.Store.Forget(ctx, mark); err != nil && !errors.Is(err, store.ErrFenced) {
			h.Logger.Warn("the mark of an event could not be removed; copies of the event are refused until the mark ends",
				"endpoint", x.entry.Name, "eventId", x.meta.ID, "error", err)
		}
		return rejectCall(err)
	}
	if err := h.Store.Finish(ctx, mark); err != nil {
		return unavailable("the event was delivered, but that could not be noted, please send again", retryStore, err)
	}
	x.outcome = audit.Delivered
	return nil
}

// passOn writes the target's answer.
func (x *exchange) passOn() {
	maps.Copy(x.w.Header(), x.called.Header)
	x.status = x.called.Status
	x.write(x.called.Header.Get("Content-Type"), x.called.Body)
}
