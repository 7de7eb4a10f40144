package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Outcome says what Accept found.
type Outcome int

// In each case the event is stored, or was and is delivered: a 2xx is true.
const (
	// Accepted: stored now.
	Accepted Outcome = iota + 1
	// Duplicate: an event of this id was stored before.
	Duplicate
	// Revived: a Duplicate whose delivery had been given up; it is made again.
	Revived
	// ContentReplayed: the signed content was stored before under another id.
	ContentReplayed
)

// String implements fmt.Stringer.
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Duplicate:
		return "duplicate"
	case Revived:
		return "revived"
	case ContentReplayed:
		return "content replayed"
	default:
		return fmt.Sprintf("Outcome(%d)", int(o))
	}
}

// AcceptOptions say how to keep an event.
type AcceptOptions struct {
	// Window is how long the event is recognised again, from now on.
	Window time.Duration
	// Lease is how long this process owns the deliveries of a new event.
	Lease time.Duration
	// Content is the digest of what the sender signed; not nil: refuse it under
	// any other event id.
	Content *[32]byte
	// Targets names the deliveries, each name once; nil: one, named "".
	Targets []string
	// MaxQueuedBytes bounds what is stored of the event's endpoint, dead letters
	// included, as Usage.Room counts it; 0: there is no bound. It is lowered to what
	// Measures allow. An event of any size has room where there is none other. The bound
	// may be exceeded by an eighth, and by what other receivers store within a moment.
	MaxQueuedBytes int64
}

// Accept stores e and the marks that make duplicates known, in one atomic step.
//
// The leases are those of the deliveries that the caller owns now, one for each
// target after Accepted and none otherwise. An error is ErrUnavailable, ErrFull,
// ErrQueueFull, ErrUnconfirmed, ErrBusy or ErrInFlight, or about options that can't be right; the sender
// gets 503 and may send again. After ErrUnavailable the event may be stored all
// the same, after ErrUnconfirmed it is; it is delivered then, when its lease
// ends, and the second copy is a Duplicate.
func (s *Store) Accept(ctx context.Context, e *Event, o AcceptOptions) (Outcome, []Lease, error) {
	if err := o.validate(); err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout+s.wait.longest()+transferTime(int64(len(e.Body))))
	defer cancel()
	r := &record{event: e, facts: facts{endpoint: e.Endpoint, targets: o.Targets, window: s.Now().Add(o.Window), received: e.ReceivedAt}}
	if len(r.targets) == 0 {
		r.targets = []string{""}
	}
	id := eventRef(e.Endpoint, e.ID)
	if o.Content != nil {
		r.content = *o.Content
		replayed, err := s.markContent(ctx, e.Endpoint, id, o)
		if err != nil || replayed {
			return ContentReplayed, nil, err
		}
	}
	return s.acceptRecord(ctx, id, r, o)
}

func (o AcceptOptions) validate() error {
	switch {
	case o.Window <= 0:
		return errors.New("accept an event: the deduplication window must be positive")
	case o.Lease <= 0:
		return errors.New("accept an event: the lease must be positive")
	case o.MaxQueuedBytes < 0:
		return errors.New("accept an event: the bound of what is stored must not be negative")
	default:
		return nil
	}
}

// acceptMost is where the script takes what the partition may hold.
const acceptMost = 6

func (s *Store) acceptRecord(ctx context.Context, id ref, r *record, o AcceptOptions) (Outcome, []Lease, error) {
	const doing = "store an event"
	now := s.Now()
	end := s.leaseEnd(now, o.Lease)
	args := make([]any, 0, 8+len(r.targets))
	value := r.encode()
	args = append(args, value, end, now.UnixMicro(), Failure{Since: now}.encode(), s.wait.flag(), r.endpoint, 0, s.markOf(id))
	for _, target := range r.targets {
		args = append(args, member(id, target))
	}
	size := int64(len(value)) + besideDelivery*int64(len(r.targets))
	reply, err := s.withinBound(ctx, id, r.endpoint, size, o.MaxQueuedBytes, func(most int64) (any, error) {
		args[acceptMost] = most
		return s.runConfirmed(ctx, acceptScript, deliveryNames(id, r.endpoint), args...)
	})
	if err != nil {
		return 0, nil, classify(doing, err)
	}
	switch reply {
	case "accepted":
		s.outlook.noteDue(id.partition(), end)
		return Accepted, r.leases(id, end), nil
	case "duplicate":
		return Duplicate, nil, nil
	case "revived":
		s.outlook.noteDue(id.partition(), now.UnixMicro())
		return Revived, nil, nil
	case "busy":
		return 0, nil, ErrInFlight
	case "full":
		return 0, nil, fmt.Errorf("%s: %w", doing, ErrQueueFull)
	case "foreign":
		return 0, nil, fmt.Errorf("%s: %w", doing, errForeign)
	default:
		return 0, nil, fmt.Errorf("%s: %w: unexpected reply %v", doing, ErrUnavailable, reply)
	}
}

func (r *record) leases(id ref, end int64) []Lease {
	f := r.facts
	leases := make([]Lease, 0, len(f.targets))
	for _, target := range f.targets {
		leases = append(leases, Lease{Target: target, Until: time.UnixMicro(end), ref: id, fence: end, facts: &f})
	}
	return leases
}
