package store

import (
	"context"
	"sync"
	"time"
)

// DefaultMaxQueuedBytes of an endpoint is half a million events of 2 KiB, where Redis has
// the memory for it.
const DefaultMaxQueuedBytes = 1 << 30

// besideDelivery is about what Redis needs for a delivery beside the bytes of its event.
// The scripts count it, too.
const besideDelivery = 512

// Room is about what u takes of Redis's memory: what MaxQueuedBytes bounds.
func (u Usage) Room() int64 { return u.Bytes + besideDelivery*(u.Pending+u.Dead) }

// uncounted is the part of an endpoint's bound that a partition may hold without the
// others being counted. So the bound may be exceeded by an eighth.
const uncounted = 8 * partitions

// A count of an endpoint is believed for so long, which bounds how far several receivers
// together exceed the bound. Meanwhile events are delivered, which make room: so one is
// refused by a count of just now only.
const (
	countAge   = 100 * time.Millisecond
	refusalAge = 10 * time.Millisecond
)

// maxCounts bounds the endpoints whose counts are kept.
const maxCounts = 1024

// rooms knows of endpoints that have much stored how much that is. A script sees one
// partition; what the others hold is counted here, and only if it matters.
type rooms struct {
	mu        sync.Mutex
	endpoints map[string]*roomCount
}

// roomCount is what an endpoint has stored in each partition, and in all.
type roomCount struct {
	counting sync.Mutex // held while it is being counted

	mu    sync.Mutex
	at    time.Time // zero: never counted
	each  [partitions]int64
	total int64
	// onWay is what is being stored, and perhaps counted already.
	onWay int64
}

func (r *rooms) of(endpoint string) *roomCount {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.endpoints[endpoint]
	if c == nil {
		if r.endpoints == nil || len(r.endpoints) >= maxCounts {
			r.endpoints = map[string]*roomCount{} // what is in use is counted again
		}
		c = &roomCount{}
		r.endpoints[endpoint] = c
	}
	return c
}

func (c *roomCount) fresh(age time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.at.IsZero() && time.Since(c.at) < age
}

// reserve takes room for an event and returns what its partition may hold with it. 0:
// there is no room. One event has room where there is none other, whatever its size.
func (c *roomCount) reserve(p int, size, bound int64) (most int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.total + c.onWay
	if taken > 0 && taken+size > bound {
		return 0
	}
	c.onWay += size
	return max(bound-(taken-c.each[p]), size)
}

// done takes what became of an event for which there was room.
func (c *roomCount) done(p int, size int64, stored bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onWay -= size
	if stored {
		c.each[p] += size
		c.total += size
	}
}

// roomOf is what may be stored of an endpoint now, by what the caller allows; 0: any.
func (s *Store) roomOf(allowed int64) int64 {
	if memory := s.memory.current().EndpointBytes; memory > 0 && allowed > 0 {
		return min(allowed, memory)
	}
	return allowed
}

// withinBound has try store an event of so many bytes, with what its partition may hold
// by then; 0: any. try returns "full" if that is too little, and recognises what is
// stored already in any case.
func (s *Store) withinBound(ctx context.Context, id ref, endpoint string, size, allowed int64, try func(most int64) (any, error)) (any, error) {
	bound := s.roomOf(allowed)
	if bound == 0 {
		return try(0)
	}
	c := s.rooms.of(endpoint)
	if !c.fresh(countAge) {
		if most := max(bound/uncounted, 1); size <= most {
			if reply, err := try(most); err != nil || reply != "full" {
				return reply, err
			}
		}
		if err := s.countRoom(ctx, c, endpoint, countAge); err != nil {
			return nil, err
		}
	}
	p := id.partition()
	most := c.reserve(p, size, bound)
	if most == 0 {
		if err := s.countRoom(ctx, c, endpoint, refusalAge); err != nil {
			return nil, err
		}
		if most = c.reserve(p, size, bound); most == 0 {
			return try(1)
		}
	}
	reply, err := try(most)
	c.done(p, size, err == nil && reply == "accepted")
	return reply, err
}

// countRoom counts what an endpoint has stored if the last count is older than that, once
// for all that ask at one time.
func (s *Store) countRoom(ctx context.Context, c *roomCount, endpoint string, age time.Duration) error {
	c.counting.Lock()
	defer c.counting.Unlock()
	if c.fresh(age) {
		return nil
	}
	rows, err := s.usageRows(ctx, []string{endpoint})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.total = time.Now(), 0
	for p := range rows {
		c.each[p] = rows[p][0].Room()
		c.total += c.each[p]
	}
	return nil
}
