package receiver

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

// Marker marks events whose senders wait for the target; *store.Store is one.
type Marker interface {
	Begin(ctx context.Context, endpoint, id string, o store.BeginOptions) (store.Beginning, store.Mark, error)
	Finish(context.Context, store.Mark) error
	Forget(context.Context, store.Mark) error
}

// Caller hands an event to its target and waits for the answer;
// *deliver.Dispatcher is one.
type Caller interface {
	Call(context.Context, *store.Event) (deliver.Answer, error)
}

// take stores the event, or hands it to the target if the sender is to get the
// target's answer.
func (h *Handler) take(x *exchange) error {
	if x.entry.Route.Delivery.Sync && len(x.targets) > 0 {
		return h.relay(x)
	}
	return h.accept(x)
}

// relay hands the event to the target while the sender waits. A mark keeps copies
// of the event away meanwhile; it ends by itself if this process dies. A sender
// that hangs up changes nothing: what the target does is not undone by it.
func (h *Handler) relay(x *exchange) error {
	ctx := context.WithoutCancel(x.r.Context())
	timeout := time.Duration(x.entry.Route.Delivery.Timeout)
	// The target's time comes on top of what an answer may take. The error says that
	// a test's ResponseWriter has no connection.
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(timeout + answerTimeout - bodyTimeout))

	found, mark, err := h.marks.Begin(ctx, x.entry.Name, x.meta.ID, h.beginOptions(x, timeout))
	if err != nil {
		return rejectStore(err)
	}
	switch found {
	case store.Begun:
		return h.call(ctx, x, mark)
	case store.StoredBefore:
		return h.accept(x) // which revives a dead letter
	case store.ContentDelivered:
		x.outcome, x.reason = audit.Duplicate, reasonContentReplayed
	default:
		x.outcome = audit.Duplicate
	}
	return nil
}

func (h *Handler) beginOptions(x *exchange, timeout time.Duration) store.BeginOptions {
	accept := h.acceptOptions(x)
	return store.BeginOptions{Window: accept.Window, Lease: timeout + syncMargin, Content: accept.Content}
}

// call asks the target. The event is marked as delivered before its sender gets a
// 2xx, and forgotten before it gets anything else, so that its repetition counts.
func (h *Handler) call(ctx context.Context, x *exchange, mark store.Mark) error {
	answer, err := h.caller.Call(ctx, x.storedEvent())
	if !errors.Is(err, deliver.ErrNotNow) && !errors.Is(err, deliver.ErrCrowded) {
		x.called = &answer
	}
	if err != nil {
		if err := h.marks.Forget(ctx, mark); err != nil && !errors.Is(err, store.ErrFenced) {
			h.log.Warn("an event could not be forgotten; copies of it are put off until its mark ends",
				"endpoint", x.entry.Name, "eventId", x.meta.ID, "error", err)
		}
		return rejectCall(err)
	}
	if err := h.marks.Finish(ctx, mark); err != nil {
		return unavailable("the event was delivered, but that could not be noted, please send again", retryStore, err)
	}
	x.outcome = audit.Delivered
	return nil
}

// rejectCall translates the errors of a Caller: what is wrong on our own side is
// 503, and for the target we are a gateway.
func rejectCall(err error) *reject {
	switch {
	case errors.Is(err, deliver.ErrCrowded):
		return unavailable("the target is busy, please send again", retryBusy, err)
	case errors.Is(err, deliver.ErrNotNow):
		return unavailable("the endpoint can't serve now, please send again later", retryRoute, err)
	case errors.Is(err, deliver.ErrTimeout):
		return &reject{status: http.StatusGatewayTimeout, reason: "the target did not answer in time, please send again"}
	default:
		return &reject{status: http.StatusBadGateway, reason: "the target did not take the event, please send again", cause: err}
	}
}

// passOn writes the target's answer.
func (x *exchange) passOn() {
	maps.Copy(x.w.Header(), x.called.Header)
	x.status = x.called.Status
	x.write(x.called.Header.Get("Content-Type"), x.called.Body)
}
