package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Lease says that this process may deliver one event to one target, until Until
// or until somebody else holds a newer lease on it.
type Lease struct {
	// Target is the name of the delivery's target: "", or a route's name.
	Target string
	// Until is when other receivers may claim the delivery, by Store.Now.
	Until time.Time

	ref   ref
	fence int64 // the score in the due index, us
	facts *facts
}

func (l Lease) member() string { return member(l.ref, l.Target) }

// Failure is what is remembered about a delivery that did not succeed yet.
type Failure struct {
	// Attempts counts the attempts made so far.
	Attempts int
	// Error says why the last one failed; it is cut after 512 bytes. It must
	// hold neither secrets nor bodies.
	Error string
	// First is when the first attempt failed; zero: unknown.
	First time.Time
	// Since is when a dead letter was revived; zero: never. Its age counts
	// from then.
	Since time.Time
}

// maxErrorBytes bounds what each failing delivery keeps in Redis.
const maxErrorBytes = 512

// storedFailure is the JSON form; times in milliseconds, since people read it
// with redis-cli.
type storedFailure struct {
	Attempts int    `json:"attempts,omitempty"`
	Error    string `json:"error,omitempty"`
	First    int64  `json:"first,omitempty"`
	Since    int64  `json:"since,omitempty"`
}

func (f Failure) encode() string {
	text := f.Error
	if len(text) > maxErrorBytes {
		text = text[:maxErrorBytes]
		for len(text) > 0 && !utf8.ValidString(text) {
			text = text[:len(text)-1] // a rune was cut
		}
	}
	b, err := json.Marshal(storedFailure{f.Attempts, text, toMilli(f.First), toMilli(f.Since)})
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	return string(b)
}

// decodeFailure reads what encode wrote. What can't be read counts as nothing:
// a delivery is attempted more often rather than not at all.
func decodeFailure(text string) Failure {
	var f storedFailure
	if err := json.Unmarshal([]byte(text), &f); err != nil || f.Attempts < 0 {
		return Failure{}
	}
	return Failure{f.Attempts, f.Error, fromMilli(f.First), fromMilli(f.Since)}
}

func toMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Delivered ends the delivery. With the last delivery of the event its payload
// goes; the mark that makes duplicates known stays until the window ends.
// ErrFenced: the delivery is somebody else's or over.
func (s *Store) Delivered(ctx context.Context, l Lease) error {
	value, rest := s.markValue(l.facts, s.shortened(l.facts.window.Sub(s.Now()), l.facts.window.Sub(l.facts.received)))
	args := []any{l.member(), l.fence, value, rest, l.facts.endpoint, s.markOf(l.ref)}
	for _, target := range l.facts.targets {
		if target != l.Target {
			args = append(args, member(l.ref, target))
		}
	}
	return s.runFenced(ctx, "mark a delivery as done", deliveredScript, deliveryNames(l.ref, l.facts.endpoint), args...)
}

// Retry gives the delivery back after a failed attempt: from at on, any receiver
// may claim it. ErrFenced: nothing was written.
func (s *Store) Retry(ctx context.Context, l Lease, at time.Time, f Failure) error {
	p := l.ref.partition()
	err := s.runFenced(ctx, "schedule a retry", retryScript,
		[]string{dueName[p], attemptsName[p], delayedName[p]},
		l.member(), l.fence, at.UnixMicro(), f.encode(), l.facts.received.UnixMilli())
	if err == nil {
		s.outlook.noteDue(p, at.UnixMicro())
	}
	return err
}

// DeadLetter gives the delivery up. Its payload is kept until it is revived or purged.
// ErrFenced: nothing was written.
func (s *Store) DeadLetter(ctx context.Context, l Lease, f Failure) error {
	p := l.ref.partition()
	return s.runFenced(ctx, "dead-letter a delivery", deadLetterScript,
		[]string{dueName[p], attemptsName[p], delayedName[p], deadName[p], deadOfName(p, l.facts.endpoint), usageName[p]},
		l.member(), l.fence, s.Now().UnixMilli(), f.encode(), l.facts.endpoint)
}

// Renew moves the end of the lease to d from now and returns the new lease; the
// old one is void. ErrFenced: nothing was written.
func (s *Store) Renew(ctx context.Context, l Lease, d time.Duration) (Lease, error) {
	end := s.leaseEnd(s.Now(), d)
	if err := s.move(ctx, "renew a lease", l, end); err != nil {
		return Lease{}, err
	}
	l.fence, l.Until = end, time.UnixMicro(end)
	return l, nil
}

// Release gives the delivery back at once, as at shutdown. ErrFenced: nothing
// was written.
func (s *Store) Release(ctx context.Context, l Lease) error {
	return s.move(ctx, "release a lease", l, s.Now().UnixMicro())
}

func (s *Store) move(ctx context.Context, doing string, l Lease, score int64) error {
	p := l.ref.partition()
	err := s.runFenced(ctx, doing, moveScript, []string{dueName[p]}, l.member(), l.fence, score)
	if err == nil {
		s.outlook.noteDue(p, score)
	}
	return err
}

// parseScore reads a score of the due index as Redis prints it: 1.7e+15 is one.
func parseScore(text string) (int64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("read a score of the due index: %w", err)
	}
	return int64(f), nil
}
