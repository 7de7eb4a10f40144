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
	// Patience is for a Redis that is away.
	Patience Patience
}

// Accept stores e and the marks that make duplicates known, in one atomic step.
//
// The leases are those of the deliveries that the caller owns now, one for each
// target after Accepted and none otherwise. An error is ErrUnavailable, ErrFull,
// ErrQueueFull, ErrUnconfirmed, ErrBusy or ErrInFlight, or about options that can't be right; the sender
// gets 503 and may send again. After ErrUnavailable the event may be stored all
// the same, after ErrUnconfirmed it is; it is delivered then, when its lease
// ends, and the second copy is a Duplicate. A try of Patience that finds the event
// stored by an earlier one is Accepted.
func (s *Store) Accept(ctx context.Context, e *Event, o AcceptOptions) (Outcome, []Lease, error) {
	if err := o.validate(); err != nil {
		return 0, nil, err
	}
	ctx, cancel := s.bound(ctx, o.Patience, int64(len(e.Body)))
	defer cancel()
	a := s.newAcceptance(e, o)
	var outcome Outcome
	var leases []Lease
	err := o.Patience.persist(ctx, func() (err error) {
		outcome, leases, err = s.tryAccept(ctx, a)
		return err
	})
	return outcome, leases, err
}

// acceptance is what the tries of one Accept have in common.
type acceptance struct {
	id      ref
	record  *record
	options AcceptOptions
	fence   int64 // end of the lease
	args    []any // of the script
}

func (s *Store) newAcceptance(e *Event, o AcceptOptions) *acceptance {
	r := &record{event: e, facts: facts{endpoint: e.Endpoint, targets: o.Targets, window: s.Now().Add(o.Window), received: e.ReceivedAt}}
	if len(r.targets) == 0 {
		r.targets = []string{""}
	}
	if o.Content != nil {
		r.content = *o.Content
	}
	return &acceptance{id: eventRef(e.Endpoint, e.ID), record: r, options: o}
}

// prepare returns the arguments of the script. The fence tells the script that an
// earlier try has run, so it stays the same while enough of the lease is left. When it
// has to change, what an earlier try stored is a Duplicate, and claimed soon.
func (a *acceptance) prepare(s *Store) []any {
	now := s.Now()
	if a.args == nil {
		a.args = make([]any, 0, 8+len(a.record.targets))
		a.args = append(a.args, a.record.encode(), nil, nil, Failure{Since: now}.encode(), s.wait.flag(), a.record.endpoint, 0, nil)
		for _, target := range a.record.targets {
			a.args = append(a.args, member(a.id, target))
		}
	}
	if now.Add(a.options.Lease/4).UnixMicro() >= a.fence {
		a.fence = s.leaseEnd(now, a.options.Lease)
	}
	a.args[1], a.args[2], a.args[7] = a.fence, now.UnixMicro(), s.markOf(a.id)
	return a.args
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

func (s *Store) tryAccept(ctx context.Context, a *acceptance) (Outcome, []Lease, error) {
	const doing = "store an event"
	if a.options.Content != nil {
		owner, err := s.markContent(ctx, a.record.endpoint, a.id, a.options)
		if err != nil {
			return 0, nil, err
		}
		if owner != "" {
			return s.acceptCopy(ctx, owner, ContentReplayed, a.options)
		}
	}
	args := a.prepare(s)
	size := sizeOf(args[:1]) + besideDelivery*int64(len(a.record.targets))
	reply, err := s.withinBound(ctx, a.id, a.record.endpoint, size, a.options.MaxQueuedBytes, func(most int64) (any, error) {
		args[acceptMost] = most
		return s.runConfirmed(ctx, acceptScript, deliveryNames(a.id, a.record.endpoint), args...)
	})
	if err != nil {
		return 0, nil, classify(doing, err)
	}
	switch reply {
	case "accepted":
		s.outlook.noteDue(a.id.partition(), a.fence)
		return Accepted, a.record.leases(a.id, a.fence), nil
	case "duplicate":
		return Duplicate, nil, nil
	case "perhaps":
		return s.acceptCopy(ctx, a.id, Duplicate, a.options)
	case "revived":
		s.outlook.noteDue(a.id.partition(), s.Now().UnixMicro())
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

// acceptCopy returns what Accept does for a copy of a stored event, after it has revived
// what was given up of that.
func (s *Store) acceptCopy(ctx context.Context, stored ref, otherwise Outcome, o AcceptOptions) (Outcome, []Lease, error) {
	revived, err := s.reviveStored(ctx, stored, o.Targets)
	switch {
	case err != nil:
		return 0, nil, classify("revive a dead letter", err)
	case revived:
		return Revived, nil, nil
	}
	return otherwise, nil, nil
}

func (r *record) leases(id ref, end int64) []Lease {
	f := r.facts
	leases := make([]Lease, 0, len(f.targets))
	for _, target := range f.targets {
		leases = append(leases, Lease{Target: target, Until: time.UnixMicro(end), ref: id, fence: end, facts: &f})
	}
	return leases
}
