package store

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Stats counts what is stored, over all receivers.
type Stats struct {
	// Pending counts deliveries that are neither done nor given up.
	Pending int64
	// Held counts the pending ones that wait in the backlog of their target.
	Held int64
	// Delayed counts the pending ones that have failed at least once.
	Delayed int64
	// Dead counts deliveries that were given up.
	Dead int64
	// OldestPending is the time by which the oldest pending delivery was
	// received; zero: none is pending. For one that has not failed yet it is
	// taken from its lease and so up to one lease late.
	OldestPending time.Time
}

// Stats asks all partitions in one round trip. With ErrPartly, of some servers it
// counts what there was when they last answered.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var replies [partitions]partitionStats
	set, looked := s.countable(ctx)
	got, err := s.ask(ctx, set, func(pipe redis.Pipeliner, p int) { replies[p].ask(ctx, pipe, p) })
	if err = cmp.Or(err, looked); err != nil && !errors.Is(err, ErrPartly) {
		return Stats{}, classify("count what is stored", err)
	}
	s.counted.Lock()
	defer s.counted.Unlock()
	var total Stats
	now := s.Now()
	for p := range replies {
		if got[p] {
			s.counted.last[p] = replies[p]
		}
		if s.counted.last[p].due != nil {
			total.add(s.counted.last[p], now)
		}
	}
	return total, classify("count what is stored", err)
}

// counted is what Stats last learned of each partition.
type counted struct {
	sync.Mutex
	last [partitions]partitionStats
}

// countable returns the partitions in which there may be something to count. EXISTS is
// one command for all others, and in a Cluster one for each.
func (s *Store) countable(ctx context.Context) (partitionSet, error) {
	var set partitionSet
	var empty [partitions][]string
	s.counted.Lock()
	for p := range s.counted.last {
		if set[p] = !s.counted.last[p].isEmpty(); !set[p] {
			empty[p] = []string{dueName[p], heldName[p], deadName[p]}
		}
	}
	s.counted.Unlock()
	some, err := s.exists(ctx, &empty)
	if err != nil || !some {
		return set, err
	}
	filled, err := s.filled(ctx, &empty)
	for p := range set {
		set[p] = set[p] || filled[p]
	}
	return set, err
}

// isEmpty reports whether it is known that nothing was there.
func (r *partitionStats) isEmpty() bool {
	return r.due != nil && r.due.Val() == 0 && r.held.Val() == 0 && r.dead.Val() == 0
}

type partitionStats struct {
	due, held, delayed, dead           *redis.IntCmd
	firstDue, firstReceived, firstHeld *redis.ZSliceCmd
}

func (r *partitionStats) ask(ctx context.Context, pipe redis.Pipeliner, p int) {
	r.due = pipe.ZCard(ctx, dueName[p])
	r.held = pipe.ZCard(ctx, heldName[p])
	r.delayed = pipe.ZCard(ctx, delayedName[p])
	r.dead = pipe.ZCard(ctx, deadName[p])
	r.firstDue = pipe.ZRangeWithScores(ctx, dueName[p], 0, 0)
	r.firstReceived = pipe.ZRangeWithScores(ctx, delayedName[p], 0, 0)
	r.firstHeld = pipe.ZRangeWithScores(ctx, heldName[p], 0, 0)
}

func (s *Stats) add(r partitionStats, now time.Time) {
	s.Pending += r.due.Val() + r.held.Val()
	s.Held += r.held.Val()
	s.Delayed += r.delayed.Val()
	s.Dead += r.dead.Val()
	for _, received := range []*redis.ZSliceCmd{r.firstReceived, r.firstHeld} {
		if first := received.Val(); len(first) > 0 {
			s.noteOldest(time.UnixMilli(int64(first[0].Score)))
		}
	}
	if first := r.firstDue.Val(); len(first) > 0 {
		// What is leased was received before now, what is overdue at the latest
		// when it was due.
		at := time.UnixMicro(int64(first[0].Score))
		if at.After(now) {
			at = now
		}
		s.noteOldest(at)
	}
}

func (s *Stats) noteOldest(at time.Time) {
	if s.OldestPending.IsZero() || at.Before(s.OldestPending) {
		s.OldestPending = at
	}
}
