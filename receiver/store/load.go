package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// chunkBytes is how much is read in one go, if it is more than one event. What has
	// arrived is kept, so that a slow link gets on in steps.
	chunkBytes = 1 << 20
	// chunkEvents bounds the events of it.
	chunkEvents = 128
)

// leased is a delivery that a script has leased, and the size of its event.
type leased struct {
	Lease
	size int64
}

// leasedOf reads what a script has leased until end: member, size, member, size, ...
func leasedOf(list []any, end int64) []leased {
	all := make([]leased, 0, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		size, _ := list[i+1].(int64)
		if id, target, ok := splitMember(name); ok {
			all = append(all, leased{Lease{Target: target, Until: time.UnixMicro(end), ref: id, fence: end}, size})
		}
	}
	return all
}

// load reads the events and failures of leases into c, in chunks, each with a deadline
// of its own. What does not arrive is given back, and so is what there is no time for:
// half of the leases' time is for the attempts. It is due at once, behind all that is
// due already, so that what can't be read keeps nothing else from being read.
func (s *Store) load(ctx context.Context, c *Claimed, all []leased, d time.Duration) error {
	var lost []leased
	var err error
	for until := s.Now().Add(d / 2); len(all) > 0 && err == nil && s.Now().Before(until); {
		n, bytes := nextChunk(all)
		var missing []leased
		missing, err = s.loadChunk(ctx, c, all[:n], bytes)
		lost, all = append(lost, missing...), all[n:]
	}
	s.giveBack(context.WithoutCancel(ctx), append(lost, all...))
	return err
}

// nextChunk says how many to read next, and how much that is.
func nextChunk(all []leased) (n int, bytes int64) {
	for n < min(len(all), chunkEvents) && (n == 0 || bytes+all[n].size <= chunkBytes) {
		bytes += all[n].size
		n++
	}
	return n, bytes
}

// loadChunk reads a chunk in one round trip and returns what did not arrive.
func (s *Store) loadChunk(ctx context.Context, c *Claimed, chunk []leased, bytes int64) (missing []leased, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout+transferTime(bytes))
	defer cancel()
	client := s.client
	if bytes > largeBytes {
		client = s.large
	}
	events := make([]*redis.StringCmd, len(chunk))
	failures := make([]*redis.StringCmd, len(chunk))
	_, _ = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, l := range chunk {
			failures[i] = pipe.HGet(ctx, attemptsName[l.ref.partition()], l.member())
			events[i] = pipe.Get(ctx, eventName(l.ref))
		}
		return nil
	}) // each command has its own error
	for i, l := range chunk {
		value, e := events[i].Bytes()
		if e == nil {
			e = failures[i].Err()
		}
		switch {
		case errors.Is(events[i].Err(), redis.Nil):
			// Deleted by hand just now; the next claim drops the entry.
		case e != nil && !errors.Is(e, redis.Nil):
			missing, err = append(missing, l), errors.Join(err, e)
		default:
			c.add(l.Lease, value, failures[i].Val())
		}
	}
	return missing, err
}

// add takes an event as it is stored.
func (c *Claimed) add(l Lease, value []byte, failure string) {
	r, err := decodeRecord(value)
	if err != nil {
		c.Unreadable++
		return
	}
	// No record holds its digest: that is 32 bytes in each, and few are read back.
	digest := sha256.Sum256(r.event.Body)
	r.event.BodySHA256 = hex.EncodeToString(digest[:])
	f := r.facts
	l.facts = &f
	c.Deliveries = append(c.Deliveries, Delivery{Event: r.event, Lease: l, Failure: decodeFailure(failure)})
}

// giveBack releases leases, side by side. Those that can't be released end by themselves.
func (s *Store) giveBack(ctx context.Context, all []leased) {
	var running sync.WaitGroup
	for _, l := range all {
		running.Go(func() { _ = s.Release(ctx, l.Lease) })
	}
	running.Wait()
}
