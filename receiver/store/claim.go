package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ClaimOptions bound what one Claim takes.
type ClaimOptions struct {
	// Max is the most deliveries to take; below 1 nothing is taken.
	Max int
	// MaxBytes is the most bytes of stored events to take; one delivery is taken
	// even if it is larger.
	MaxBytes int64
	// Lease is how long this process owns what it takes.
	Lease time.Duration
	// Blocked are targets that take nothing now. What is due for them is held
	// instead of taken, without its events being read.
	Blocked []Target
}

// Delivery is one delivery that this process owns.
type Delivery struct {
	// Event is what to deliver.
	Event *Event
	// Lease is what every transition asks for.
	Lease Lease
	// Failure says what happened so far; zero before the first attempt.
	Failure Failure
}

// Claimed is the result of a Claim.
type Claimed struct {
	Deliveries []Delivery
	// Next is when the earliest delivery that was not taken is due, by
	// Store.Now; zero: nothing is stored. It lies in the past when more is due
	// than Max or MaxBytes allowed.
	Next time.Time
	// Unreadable counts deliveries whose record this version can't read. They
	// keep their lease and are due again when it ends; nothing is dropped.
	Unreadable int
	// Held counts the deliveries that went to the backlogs of ClaimOptions.Blocked.
	Held int
}

// holdBatch is the most entries of a partition that one Claim looks at for the
// sake of those to be held: a script holds up all of Redis while it runs.
const holdBatch = 128

// Claim takes deliveries that are due: those whose owner died, those given back
// and those whose next attempt is due. Partitions take turns to be first. With
// an error, Deliveries may hold those taken before it.
func (s *Store) Claim(ctx context.Context, o ClaimOptions) (Claimed, error) {
	const doing = "claim deliveries"
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var c Claimed
	earliest, err := s.earliest(ctx)
	if err != nil {
		return c, classify(doing, err)
	}
	now := s.CertainNow()
	end := s.leaseEnd(s.Now(), o.Lease)
	start := int(s.turn.Add(1))
	var leases []Lease
	for i := range partitions {
		p := (start + i) % partitions
		score := earliest[p]
		if score != 0 && score <= now.UnixMicro() && len(leases) < o.Max && (o.MaxBytes > 0 || len(leases) == 0) {
			taken, err := s.claimPartition(ctx, p, now, end, &o, len(leases))
			if err != nil {
				return c, classify(doing, errors.Join(err, s.load(ctx, &c, leases)))
			}
			leases = append(leases, taken.leases...)
			c.Held += taken.held
			score = taken.next
		}
		c.noteNext(score)
	}
	return c, classify(doing, s.load(ctx, &c, leases))
}

// noteNext keeps the earliest of the scores other than 0.
func (c *Claimed) noteNext(score int64) {
	at := time.UnixMicro(score)
	if score != 0 && (c.Next.IsZero() || at.Before(c.Next)) {
		c.Next = at
	}
}

// earliest asks every partition for the score of its first due entry, 0 if it
// has none. Most partitions have nothing to claim most of the time, and a plain
// read costs Redis less than a script.
func (s *Store) earliest(ctx context.Context) (scores [partitions]int64, err error) {
	var replies [partitions]*redis.ZSliceCmd
	_, err = s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for p := range replies {
			replies[p] = pipe.ZRangeWithScores(ctx, dueName[p], 0, 0)
		}
		return nil
	})
	if err != nil {
		return scores, err
	}
	for p, reply := range replies {
		if first := reply.Val(); len(first) > 0 {
			scores[p] = int64(first[0].Score)
		}
	}
	return scores, nil
}

// taken is what one partition gave.
type taken struct {
	leases []Lease
	next   int64 // score of the earliest entry left, 0 if none
	held   int
}

// claimPartition takes what o allows on top of the deliveries already owned, and
// lowers o.MaxBytes by what it took.
func (s *Store) claimPartition(ctx context.Context, p int, now time.Time, end int64, o *ClaimOptions, owned int) (taken, error) {
	most := o.Max - owned
	args := []any{now.UnixMicro(), end, most, max(o.MaxBytes, 0), most, partitionPrefix[p]}
	if len(o.Blocked) > 0 {
		args[4] = max(most, holdBatch)
		for _, t := range o.Blocked {
			args = append(args, t.name())
		}
	}
	reply, err := s.run(ctx, claimScript, []string{dueName[p], attemptsName[p], delayedName[p], heldName[p], backlogsName[p], usageName[p]}, args...)
	if err != nil {
		return taken{}, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) < 4 {
		return taken{}, fmt.Errorf("unexpected reply %v to the claim script", reply)
	}
	s.missing.noteReply(list[3])
	t := taken{leases: leasesOf(list[4:], end)}
	if text, _ := list[0].(string); text != "" {
		if t.next, err = parseScore(text); err != nil {
			return taken{}, err
		}
	}
	bytes, _ := list[1].(int64)
	o.MaxBytes -= bytes
	held, _ := list[2].(int64)
	t.held = int(held)
	return t, nil
}

// leasesOf reads the members that a script has leased until end.
func leasesOf(members []any, end int64) []Lease {
	leases := make([]Lease, 0, len(members))
	for _, entry := range members {
		name, _ := entry.(string)
		if id, target, ok := splitMember(name); ok {
			leases = append(leases, Lease{Target: target, Until: time.UnixMicro(end), ref: id, fence: end})
		}
	}
	return leases
}

// load reads the events and failures of leases into c. After an error the
// leases that could not be loaded end by themselves.
func (s *Store) load(ctx context.Context, c *Claimed, leases []Lease) error {
	if len(leases) == 0 {
		return nil
	}
	events := make([]*redis.StringCmd, len(leases))
	failures := make([]*redis.StringCmd, len(leases))
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, l := range leases {
			events[i] = pipe.Get(ctx, eventName(l.ref))
			failures[i] = pipe.HGet(ctx, attemptsName[l.ref.partition()], l.member())
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for i, l := range leases {
		value, err := events[i].Bytes()
		if errors.Is(err, redis.Nil) {
			continue // deleted by hand just now; the next claim drops the entry
		}
		r, err := decodeRecord(value)
		if err != nil {
			c.Unreadable++
			continue
		}
		// No record holds its digest: that is 32 bytes in each, and few are read back.
		digest := sha256.Sum256(r.event.Body)
		r.event.BodySHA256 = hex.EncodeToString(digest[:])
		f := r.facts
		l.facts = &f
		c.Deliveries = append(c.Deliveries, Delivery{Event: r.event, Lease: l, Failure: decodeFailure(failures[i].Val())})
	}
	return nil
}
