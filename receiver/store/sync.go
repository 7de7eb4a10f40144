package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// stateSync is the state of an event that is with its target while the sender
// waits for the answer: a mark that ends by itself. Nothing else is kept of it.
const stateSync = 'S'

// tokenBytes tell the marks of copies of one event apart.
const tokenBytes = 16

// Beginning says what Begin found.
type Beginning int

const (
	// Begun says that nothing was known of the event; it is the caller's now.
	Begun Beginning = iota + 1
	// DeliveredBefore says that the target has had it.
	DeliveredBefore
	// StoredBefore says that it is stored, and is delivered or was given up. Accept knows more.
	StoredBefore
	// ContentDelivered says that the signed content was delivered or stored under another id.
	ContentDelivered
)

// String implements fmt.Stringer.
func (b Beginning) String() string {
	switch b {
	case Begun:
		return "begun"
	case DeliveredBefore:
		return "delivered before"
	case StoredBefore:
		return "stored before"
	case ContentDelivered:
		return "content delivered before"
	default:
		return fmt.Sprintf("Beginning(%d)", int(b))
	}
}

// BeginOptions say how to mark an event whose sender waits for its target.
type BeginOptions struct {
	// Window is how long the event is recognised again once it is delivered.
	Window time.Duration
	// Lease is how long the event is the caller's. If the caller dies, the sender may
	// send it again from then on.
	Lease time.Duration
	// Content is as in AcceptOptions.
	Content *[32]byte
	// Patience is for a Redis that is away.
	Patience Patience
}

// Mark says that an event is this process' to deliver while its sender waits.
type Mark struct {
	ref     ref
	value   string // of the event
	facts   facts
	content contentMark // empty: there is none
}

// Begin marks an event as being with its target, in one atomic step, or says what
// is known of it. The Mark is for Finish or Forget, after Begun only.
//
// ErrInFlight: a copy is with the target, and it is not known yet how that ends.
// Other errors are those of Accept. After any of them the sender gets 503.
func (s *Store) Begin(ctx context.Context, endpoint, id string, o BeginOptions) (Beginning, Mark, error) {
	if o.Window <= 0 || o.Lease <= 0 {
		return 0, Mark{}, errors.New("mark an event: window and lease must be positive")
	}
	bounded, cancel := s.bound(ctx, o.Patience, 0)
	defer cancel()
	m := newMark(eventRef(endpoint, id), s.Now(), o)
	var found Beginning
	err := o.Patience.persist(bounded, func() (err error) {
		found, err = s.tryBegin(bounded, endpoint, &m, o)
		return err
	})
	if err == nil && found == Begun {
		return Begun, m, nil
	}
	if m.content.content != "" { // a try has marked the event, and the content or not
		// The caller may be gone by now, and what was marked must go in any case.
		if undone := s.Forget(context.WithoutCancel(ctx), m); err == nil && undone != nil {
			err = undone
		}
	}
	return found, Mark{}, err
}

func (s *Store) tryBegin(ctx context.Context, endpoint string, m *Mark, o BeginOptions) (Beginning, error) {
	const doing = "mark an event"
	reply, err := s.run(ctx, beginScript, []string{eventName(m.ref), marksName(m.ref)}, m.value, max(o.Lease.Milliseconds(), 1), s.markOf(m.ref))
	if err != nil {
		return 0, classify(doing, err)
	}
	switch reply {
	case "begun":
		return s.beginContent(ctx, endpoint, m, o)
	case "busy":
		return 0, ErrInFlight
	case "stored":
		return StoredBefore, nil
	case "delivered":
		// Whether enough servers have it is for this read to say.
		_, err := s.eventStart(ctx, m.ref)
		return DeliveredBefore, classify(doing, err)
	case "foreign":
		return 0, fmt.Errorf("%s: %w", doing, errForeign)
	default:
		return 0, fmt.Errorf("%s: %w: unexpected reply %v", doing, ErrUnavailable, reply)
	}
}

func newMark(id ref, now time.Time, o BeginOptions) Mark {
	m := Mark{ref: id, facts: facts{window: now.Add(o.Window)}}
	if o.Content != nil {
		m.facts.content = *o.Content
	}
	var token [tokenBytes]byte
	_, _ = rand.Read(token[:]) // never fails: see crypto/rand
	value := append([]byte{stateSync, recordVersion}, m.facts.content[:]...)
	m.value = string(append(value, token[:]...))
	return m
}

// beginContent marks the signed content of an event that is ours. The event comes
// first, unlike in Accept: so only its owner sets a content mark in its name, or
// removes it.
func (s *Store) beginContent(ctx context.Context, endpoint string, m *Mark, o BeginOptions) (Beginning, error) {
	if o.Content == nil {
		return Begun, nil
	}
	if m.content.content == "" {
		m.content = contentMark{content: contentRef(endpoint, o.Content), owner: m.ref, at: s.Now()}
	}
	owner, err := s.claimContent(ctx, m.content, o.Content, s.shortened(o.Window, o.Window))
	switch {
	case err != nil:
		return 0, err
	case owner == "":
		return Begun, nil
	}
	// It may be stored, from a time in which the endpoint's mode was another one.
	_, err = s.reviveStored(ctx, owner, nil)
	return ContentDelivered, classify("revive a dead letter", err)
}

// Finish marks the event as delivered: only after it may the sender get a 2xx. It
// holds even if the mark has ended meanwhile, since the target has the event.
func (s *Store) Finish(ctx context.Context, m Mark) error {
	const doing = "mark an event as delivered"
	ctx, cancel := context.WithTimeout(ctx, s.timeout+s.wait.longest())
	defer cancel()
	window := m.facts.window.Sub(s.Now())
	value, rest := s.markValue(&m.facts, max(s.shortened(window, window), time.Millisecond))
	_, err := s.runConfirmed(ctx, finishScript, []string{eventName(m.ref), marksName(m.ref)}, value, rest, s.markOf(m.ref))
	return classify(doing, err)
}

// Forget takes the mark back, so that the sender's own repetition is handed to
// the target. If it fails, that happens when the mark ends. ErrFenced: the mark
// has ended, and a copy of the event has come since.
func (s *Store) Forget(ctx context.Context, m Mark) error {
	const doing = "forget an event"
	// The content goes first: once the event is gone, a copy of it may set the same.
	if c := m.content; c.content != "" {
		err := s.runFenced(ctx, doing, forgetContent, []string{contentsName(c.content)}, c.value(), s.markOf(c.content))
		if err != nil && !errors.Is(err, ErrFenced) {
			return err
		}
	}
	return s.runFenced(ctx, doing, forgetScript, []string{eventName(m.ref)}, m.value)
}
