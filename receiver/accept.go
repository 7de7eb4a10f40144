package receiver

import (
	"context"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// Accepter stores events; *store.Store is one.
type Accepter interface {
	Accept(context.Context, *store.Event, store.AcceptOptions) (store.Outcome, []store.Lease, error)
}

// Offerer delivers what was stored; *deliver.Dispatcher is one. Offer does not
// block: what it can't take now is claimed later, when the lease ends.
type Offerer interface {
	Offer(*store.Event, store.Lease)
}

// accept stores the event and marks it seen, in one step. Only after it may a
// 2xx be sent. A sender that hangs up meanwhile changes nothing: the event is
// authentic and complete.
//
// What nothing wants is not stored, nor marked: there is nothing that could be
// done twice, and once a route wants it, the sender can send it again.
func (h *Handler) accept(x *exchange) error {
	if len(x.targets) == 0 {
		x.outcome = audit.Ignored
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), acceptTimeout)
	defer cancel()
	event := x.storedEvent()
	outcome, leases, err := h.accepter.Accept(ctx, event, h.acceptOptions(x))
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
		h.dispatcher.Offer(event, lease)
	}
	return nil
}

func (h *Handler) acceptOptions(x *exchange) store.AcceptOptions {
	dedupe := x.entry.Route.Deduplication
	o := store.AcceptOptions{Window: time.Duration(dedupe.Window), Lease: h.lease, Targets: x.targets, MaxQueuedBytes: h.maxQueuedBytes}
	if dedupe.RememberContent {
		o.Content = &x.verdict.ContentSHA256
	}
	return o
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
