package store

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// headReads are how much of an event is read to know all but its body. The first
// is enough for the headers of all but a few senders; the second for the most that
// a receiver takes, credentials and the query with them included.
var headReads = [...]int64{8 << 10, 128 << 10}

// head is an event without its headers and its body, and so without the digest of that.
type head struct {
	ref ref
	// state is the first byte of what is stored; 0: nothing is.
	state byte
	// record is nil if the event is not pending, or can't be read by this version.
	record *record
}

// heads reads events without their bodies, those with long headers in a second
// round trip.
func (s *Store) heads(ctx context.Context, ids []ref) ([]head, error) {
	heads := make([]head, len(ids))
	left := make([]int, len(ids)) // indexes of those to be read
	for i, id := range ids {
		heads[i].ref, left[i] = id, i
	}
	for _, size := range headReads {
		if len(left) == 0 {
			break
		}
		var err error
		if left, err = s.readHeads(ctx, heads, left, size); err != nil {
			return nil, err
		}
	}
	return heads, nil
}

// readHeads reads so many bytes of some events, and returns those for which that
// was not enough.
func (s *Store) readHeads(ctx context.Context, heads []head, which []int, size int64) (short []int, err error) {
	starts := make([]*redis.StringCmd, len(which))
	sizes := make([]*redis.IntCmd, len(which))
	_, err = s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, at := range which {
			starts[i] = pipe.GetRange(ctx, eventName(heads[at].ref), 0, size-1)
			sizes[i] = pipe.StrLen(ctx, eventName(heads[at].ref))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, at := range which {
		if !heads[at].read([]byte(starts[i].Val()), sizes[i].Val()) {
			short = append(short, at)
		}
	}
	return short, nil
}

// read takes what was read of a value of so many bytes. ok is false if more of it is
// needed.
func (h *head) read(start []byte, size int64) (ok bool) {
	if len(start) == 0 {
		return true
	}
	h.state = start[0]
	r, err := decodeRecord(start)
	switch {
	case err == nil:
		r.event.BodyBytes += size - int64(len(start)) // what was not read
		r.event.Header, r.event.Credentials, r.event.Body = nil, nil, nil
		h.record = r
		return true
	case errors.Is(err, errForeign):
		return true
	default:
		return int64(len(start)) >= size
	}
}

// failed takes what a pipeline returned, and returns the first error that is not
// about something that is not there.
func failed(commands []redis.Cmder, err error) error {
	for _, c := range commands {
		if err := c.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}
