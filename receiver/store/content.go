package store

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// settled is the age after which a content mark without a stored event is taken
// to be left over: the Accept that set it has ended long ago, since each is
// bounded by the store's timeout.
const settled = 30 * time.Second

// markContent claims the signed content for the event id. It returns the event that the
// content is stored under, if that is another one; else "". The mark alone says nothing about
// that, since the Accept that set it may have failed afterwards or may have met
// an event of the same id but other content: so the event itself is asked.
func (s *Store) markContent(ctx context.Context, endpoint string, id ref, o AcceptOptions) (ref, error) {
	mark := contentMark{content: contentRef(endpoint, o.Content), owner: id, at: s.Now()}
	return s.claimContent(ctx, mark, o.Content, s.shortened(o.Window, o.Window))
}

// contentMark says that signed content belongs to an event.
type contentMark struct {
	content ref
	owner   ref
	at      time.Time
}

// value is what Redis holds of it, behind when it ends.
func (m contentMark) value() string {
	return string(m.owner) + "|" + strconv.FormatInt(m.at.UnixMilli(), 10)
}

func (s *Store) claimContent(ctx context.Context, m contentMark, content *[32]byte, window time.Duration) (ref, error) {
	const doing = "mark the content of an event"
	other, err := s.mark(ctx, m, "", window)
	if err != nil || other == "" {
		return "", classify(doing, err)
	}
	owner, age := s.parseMark(other)
	stored, err := s.storedContent(ctx, owner)
	switch {
	case errors.Is(err, ErrInFlight):
		return "", err
	case err != nil:
		return "", classify(doing, err)
	case isContent(stored, content):
		return owner, nil
	case stored == "" && age < settled:
		return "", ErrBusy
	}
	left, err := s.mark(ctx, m, other, window)
	if err != nil {
		return "", classify(doing, err)
	}
	if left != "" {
		return "", ErrBusy // somebody else was faster; the next try sees how it ended
	}
	return "", nil
}

// mark runs the script and returns the mark that is in the way, or "".
func (s *Store) mark(ctx context.Context, m contentMark, takeOver string, window time.Duration) (string, error) {
	until, seconds := s.markValue(&facts{}, max(window, time.Millisecond))
	reply, err := s.run(ctx, markScript, []string{contentName(m.content), contentsName(m.content)},
		string(m.owner), m.at.UnixMilli(), seconds, takeOver, s.markOf(m.content), until)
	if err != nil {
		return "", err
	}
	other, _ := reply.(string)
	return other, nil
}

// parseMark reads "ref|ms". A mark that can't be read is old and nobody's.
func (s *Store) parseMark(mark string) (owner ref, age time.Duration) {
	head, ms, _ := strings.Cut(mark, "|")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || ref(head).partition() < 0 {
		return "", settled
	}
	return ref(head), s.Now().Sub(time.UnixMilli(at))
}

// storedContent returns the digest that is stored with an event, pending or
// delivered; "" if the event is not stored, and "none" if its digest is not.
// ErrInFlight: the event is with its target, and may be forgotten after that.
func (s *Store) storedContent(ctx context.Context, owner ref) (string, error) {
	if owner == "" {
		return "", nil
	}
	start, err := s.eventStart(ctx, owner)
	switch {
	case err != nil || start == "":
		return "", err
	case start[0] == stateSync:
		return "", ErrInFlight
	case len(start) <= digestStart:
		return "none", nil
	default:
		return start[digestStart:], nil
	}
}

// eventStart reads a stored event up to its digest, or what is remembered of it. What is found decides about
// a 2xx, so enough servers must have it.
func (s *Store) eventStart(ctx context.Context, id ref) (string, error) {
	if s.confirmer == nil {
		return s.readStart(ctx, id)
	}
	reply, err := s.runConfirmed(ctx, confirmScript, []string{eventName(id), deadName[id.partition()], marksName(id)}, digestEnd-1, s.markOf(id))
	list, _ := reply.([]any)
	if err != nil || len(list) < 2 {
		return "", err
	}
	start, _ := list[0].(string)
	mark, _ := list[1].(string)
	return cmp.Or(start, s.markStart(mark)), nil
}

func (s *Store) readStart(ctx context.Context, id ref) (string, error) {
	var start, mark *redis.StringCmd
	err := failed(s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		start = pipe.GetRange(ctx, eventName(id), 0, digestEnd-1)
		mark = pipe.HGet(ctx, marksName(id), string(id.bytes(16, 32)))
		return nil
	}))
	if err != nil {
		return "", err
	}
	return cmp.Or(start.Val(), s.markStart(mark.Val())), nil
}
