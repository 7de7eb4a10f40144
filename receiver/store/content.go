package store

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// settled is the age after which a content mark without a stored event is taken
// to be left over: the Accept that set it has ended long ago, since each is
// bounded by the store's timeout.
const settled = 30 * time.Second

// markContent claims the signed content for the event id. It reports true when
// the content is stored under another id. The mark alone says nothing about
// that, since the Accept that set it may have failed afterwards or may have met
// an event of the same id but other content: so the event itself is asked.
func (s *Store) markContent(ctx context.Context, endpoint string, id ref, o AcceptOptions) (bool, error) {
	const doing = "mark the content of an event"
	key := contentKey(contentRef(endpoint, o.Content))
	other, err := s.mark(ctx, key, id, "", o.Window)
	if err != nil || other == "" {
		return false, classify(doing, err)
	}
	owner, age := s.parseMark(other)
	stored, err := s.storedContent(ctx, owner)
	switch {
	case err != nil:
		return false, classify(doing, err)
	case stored == contentSame(o.Content):
		return true, nil
	case stored == "" && age < settled:
		return false, ErrBusy
	}
	left, err := s.mark(ctx, key, id, other, o.Window)
	if err != nil {
		return false, classify(doing, err)
	}
	if left != "" {
		return false, ErrBusy // somebody else was faster; the next try sees how it ended
	}
	return false, nil
}

// mark runs the script and returns the mark that is in the way, or "".
func (s *Store) mark(ctx context.Context, key string, id ref, takeOver string, window time.Duration) (string, error) {
	reply, err := s.run(ctx, markScript, []string{key},
		string(id), s.Now().UnixMilli(), max(window.Milliseconds(), 1), takeOver)
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
func (s *Store) storedContent(ctx context.Context, owner ref) (string, error) {
	if owner == "" {
		return "", nil
	}
	start, err := s.client.GetRange(ctx, eventKey(owner), 0, digestEnd-1).Result()
	switch {
	case err != nil || start == "":
		return "", err
	case len(start) < digestEnd:
		return "none", nil
	default:
		return start[digestStart:], nil
	}
}

func contentSame(content *[32]byte) string { return string(content[:]) }
