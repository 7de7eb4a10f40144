package store

import (
	"cmp"
	"context"
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
	// than Max or MaxBytes allowed. With Options.LookEvery it may be too early.
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
// an error, Deliveries may hold some; with ErrPartly it is about some servers only.
func (s *Store) Claim(ctx context.Context, o ClaimOptions) (Claimed, error) {
	const doing = "claim deliveries"
	soon, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var c Claimed
	earliest, got, err := s.earliest(soon, s.Now())
	if err != nil && !errors.Is(err, ErrPartly) {
		return c, classify(doing, err)
	}
	now := s.CertainNow()
	end := s.leaseEnd(s.Now(), o.Lease)
	start := int(s.turn.Add(1))
	var leases []leased
	for i := range partitions {
		p := (start + i) % partitions
		score := earliest[p]
		if !got[p] {
			continue
		}
		if score != 0 && score <= now.UnixMicro() && len(leases) < o.Max && (o.MaxBytes > 0 || len(leases) == 0) {
			taken, e := s.claimPartition(soon, p, now, end, &o, len(leases))
			s.outlook.forgetDue(p)
			if e != nil {
				err = s.partly(e)
				break
			}
			leases = append(leases, taken.leases...)
			if c.Held += taken.held; taken.held > 0 {
				s.outlook.noteHeld(p)
			}
			score = taken.next
		}
		c.noteNext(score)
	}
	if e := s.load(ctx, &c, leases, o.Lease); e != nil {
		err = s.partly(e)
	}
	if len(c.Deliveries)+c.Unreadable < len(leases) {
		c.noteNext(now.UnixMicro()) // some were given back
	}
	return c, classify(doing, err)
}

// noteNext keeps the earliest of the scores other than 0.
func (c *Claimed) noteNext(score int64) {
	at := time.UnixMicro(score)
	if score != 0 && (c.Next.IsZero() || at.Before(c.Next)) {
		c.Next = at
	}
}

// earliest returns the score of the first due entry of each partition, 0 if there is
// none, and asks for those of which that is not known. got are the partitions of which
// it is known now. A plain read costs Redis less than a script, and most partitions
// have nothing to claim most of the time.
func (s *Store) earliest(ctx context.Context, now time.Time) (scores [partitions]int64, got partitionSet, err error) {
	looked := s.lookAtEmpty(ctx, &s.outlook.due)
	q := s.outlook.question(&s.outlook.due, now.UnixMicro())
	var replies [partitions]*redis.ZSliceCmd
	got, err = s.ask(ctx, q.set, func(pipe redis.Pipeliner, p int) {
		replies[p] = pipe.ZRangeWithScores(ctx, dueName[p], 0, 0)
	})
	for p := range replies {
		if got[p] {
			score := int64(0)
			if first := replies[p].Val(); len(first) > 0 {
				score = int64(first[0].Score)
			}
			s.outlook.answer(&q, p, score)
			scores[p] = score
		} else if !q.set[p] {
			got[p], scores[p] = true, s.outlook.firstDue(p)
		}
	}
	return scores, got, cmp.Or(err, looked)
}

// taken is what one partition gave.
type taken struct {
	leases []leased
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
	t := taken{leases: leasedOf(list[4:], end)}
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
