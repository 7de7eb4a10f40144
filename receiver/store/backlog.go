package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Target names a target of an endpoint. Deliveries that can't be made now are
// kept in a backlog for each.
type Target struct {
	// Endpoint is "namespace/name".
	Endpoint string
	// Name is "", or a route's name.
	Name string
}

// name is the part of the backlog's name in Redis after the prefix. It can be read back,
// since neither part of an endpoint has a slash in it.
func (t Target) name() string { return t.Endpoint + "/" + t.Name }

// parseTarget is the inverse of name; ok is false for a foreign name.
func parseTarget(name string) (t Target, ok bool) {
	namespace, rest, ok := strings.Cut(name, "/")
	if !ok {
		return Target{}, false
	}
	endpoint, target, ok := strings.Cut(rest, "/")
	return Target{namespace + "/" + endpoint, target}, ok
}

// Hold gives a delivery back that can't be made now, without an attempt having
// been made: it waits in the backlog of its target, where claims don't meet it,
// until a Refill takes it. since is when its age began: when it was received,
// or revived. ErrFenced: nothing was written.
func (s *Store) Hold(ctx context.Context, l Lease, endpoint string, since time.Time) error {
	p, t := l.ref.partition(), Target{endpoint, l.Target}
	err := s.runFenced(ctx, "hold a delivery", holdScript,
		[]string{dueName[p], heldName[p], backlogName(p, t), backlogsName[p], usageName[p]},
		l.member(), l.fence, since.UnixMilli(), t.name(), s.Now().UnixMicro(), endpoint)
	if err == nil {
		s.outlook.noteHeld(p)
	}
	return err
}

// maxBacklogs is how many backlogs of each partition are looked at. There is one
// for each target that takes nothing, so there rarely are more.
const maxBacklogs = 64

// Backlog is the part of a target's backlog that is in one partition.
type Backlog struct {
	Target Target
	// Crowded: there are more backlogs in the partition than Backlogs returned.
	// Skip those that nothing is taken from, and it returns others.
	Crowded bool

	partition int
	turn      float64 // when it was last refilled from or skipped, us
}

// Backlogs lists the backlogs, whose turn is the longest ago first. It asks all
// partitions that may have some in one round trip. With ErrPartly, those of some servers are missing.
func (s *Store) Backlogs(ctx context.Context) ([]Backlog, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var replies [partitions]*redis.ZSliceCmd
	looked := s.lookAtEmpty(ctx, &s.outlook.backlogs)
	q := s.outlook.question(&s.outlook.backlogs, always)
	got, err := s.ask(ctx, q.set, func(pipe redis.Pipeliner, p int) {
		replies[p] = pipe.ZRangeWithScores(ctx, backlogsName[p], 0, maxBacklogs)
	})
	var all []Backlog
	for p := range replies {
		if !got[p] {
			continue
		}
		entries := replies[p].Val()
		s.outlook.answer(&q, p, int64(min(len(entries), 1)))
		for _, entry := range entries[:min(len(entries), maxBacklogs)] {
			name, _ := entry.Member.(string)
			if t, ok := parseTarget(name); ok {
				all = append(all, Backlog{Target: t, Crowded: len(entries) > maxBacklogs, partition: p, turn: entry.Score})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Backlog) int { return cmp.Compare(a.turn, b.turn) })
	return all, classify("list the backlogs", cmp.Or(err, looked))
}

// Skip sends backlogs to the end of the queue.
func (s *Store) Skip(ctx context.Context, backlogs []Backlog) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	now := float64(s.Now().UnixMicro())
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, b := range backlogs {
			pipe.ZAddXX(ctx, backlogsName[b.partition], redis.Z{Score: now, Member: b.Target.name()})
		}
		return nil
	})
	return classify("skip backlogs", err)
}

// RefillOptions bound what one Refill takes.
type RefillOptions struct {
	// Max, MaxBytes and Lease are as in ClaimOptions.
	Max      int
	MaxBytes int64
	Lease    time.Duration
	// Before: only deliveries whose age began before; zero: any.
	Before time.Time
	// Unfailed: one delivery of which no attempt has failed. It is looked for from a
	// random place on, so that deliveries that fail for a reason of their own are not the
	// first again and again. Max and Before don't matter.
	Unfailed bool
}

// Refill takes the oldest deliveries of a backlog, as Claim does of those that
// are due. In the result, Next and Held are zero.
func (s *Store) Refill(ctx context.Context, b Backlog, o RefillOptions) (Claimed, error) {
	const doing = "refill from a backlog"
	var c Claimed
	if o.Max < 1 {
		return c, nil
	}
	before := any("+inf")
	if !o.Before.IsZero() {
		before = o.Before.UnixMilli()
	}
	from := ""
	if o.Unfailed {
		from = strconv.FormatFloat(rand.Float64(), 'f', -1, 64) //nolint:gosec // chance needs no secrecy here
	}
	p, now := b.partition, s.Now()
	end := s.leaseEnd(now, o.Lease)
	scriptCtx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	reply, err := s.run(scriptCtx, refillScript,
		[]string{backlogName(p, b.Target), heldName[p], dueName[p], backlogsName[p], attemptsName[p], delayedName[p], usageName[p]},
		b.Target.name(), now.UnixMicro(), end, o.Max, max(o.MaxBytes, 0), eventPrefix[p], before, b.Target.Endpoint, from)
	if err != nil {
		return c, classify(doing, err)
	}
	list, ok := reply.([]any)
	if !ok || len(list) < 2 {
		return c, fmt.Errorf("%s: %w: unexpected reply %v", doing, ErrUnavailable, reply)
	}
	s.missing.noteReply(list[1])
	s.outlook.noteDue(p, end)
	err = s.load(ctx, &c, leasedOf(list[2:], end), o.Lease)
	return c, classify(doing, err)
}
