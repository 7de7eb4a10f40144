package intake

import (
	"cmp"
	"context"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// take stores the event, or hands it to the target if the sender wants the target's
// answer.
func (h *Handler) take(x *exchange) error {
	if x.entry.Route.Delivery.Sync && len(x.targets) > 0 {
		return h.relay(x)
	}
	return h.accept(x)
}

// accept stores the event and its mark in one step. Only after that may a 2xx be
// sent. It goes on if the sender hangs up: the event is authentic and complete. While
// Redis is away it is tried again as long as the sender waits, since many senders send
// an event once only.
//
// An event that no route wants is neither stored nor marked. Nothing could be done
// twice, and the sender can send it again once a route wants it.
func (h *Handler) accept(x *exchange) error {
	if len(x.targets) == 0 {
		x.outcome = audit.Ignored
		return nil
	}
	options := h.acceptOptions(x)
	ctx, cancel := h.bound(options.Patience)
	defer cancel()
	event := x.storedEvent()
	outcome, leases, err := h.Store.Accept(ctx, event, options)
	if err != nil {
		return rejectStore(err)
	}
	switch outcome {
	case store.Accepted:
		x.outcome = audit.Accepted
	case store.ContentReplayed:
		x.outcome, x.reason = audit.Duplicate, reasonContentReplayed
	default: // Duplicate, and Revived: a duplicate of a dead letter
		x.outcome = audit.Duplicate
	}
	for _, lease := range leases {
		h.Deliverer.Offer(event, lease)
	}
	return nil
}

func (h *Handler) acceptOptions(x *exchange) store.AcceptOptions {
	dedupe := x.entry.Route.Deduplication
	o := store.AcceptOptions{
		Window: time.Duration(dedupe.Window), Lease: h.Lease, Targets: x.targets, MaxQueuedBytes: h.MaxQueuedBytes,
		Patience: h.patience(x),
	}
	if dedupe.RememberContent {
		o.Content = &x.verdict.ContentSHA256
	}
	return o
}

// patience is for 80 % of the time for which the sender waits, from when its request
// came. The rest is for the way of the answer, and for clocks that began before.
func (h *Handler) patience(x *exchange) store.Patience {
	ackTime := cmp.Or(time.Duration(x.entry.Route.AckTime), defaultAckTime)
	return store.Patience{Until: x.meta.ReceivedAt.Add(ackTime * 4 / 5), Again: h.countRetried}
}

// bound bounds a step into Redis, which neither the sender ends nor the time of a step
// without patience.
func (h *Handler) bound(patience store.Patience) (context.Context, context.CancelFunc) {
	return context.WithTimeout(h.patient, max(time.Until(patience.Until), 0)+acceptTimeout)
}

func (x *exchange) storedEvent() *store.Event {
	x.hash()
	return &store.Event{
		Meta:        x.meta,
		TraceParent: x.traceParent,
		Scheme:      x.verdict.Scheme,
		Method:      x.r.Method,
		URL:         x.storedURL(),
		Query:       x.storedQuery(),
		Header:      x.storedHeader(),
		Credentials: x.credentials(),
		Body:        x.body,
	}
}
