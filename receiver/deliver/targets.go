package deliver

import (
	"sync"
	"time"
)

// Bounds of what one receiver holds in memory. What doesn't fit stays in the
// log and is claimed when there is room.
const (
	maxJobs  = 4096      // of all targets
	maxBytes = 256 << 20 // of all bodies

	// The reserve comes on top, for lanes that hold nothing.
	reserveJobs  = 1024
	reserveBytes = 64 << 20

	// maxRefilled and maxRefilledBytes bound what a receiver holds of all backlogs,
	// so that they get a share beside live traffic.
	maxRefilled      = 256
	maxRefilledBytes = 32 << 20
)

// targets is what this receiver has in memory for its targets, and knows of them:
// a lane, a circuit, calls and a bucket of each, within one budget. It has one lock,
// and neither waits nor writes anything: what is to be held, woken or logged it
// returns. It is safe for concurrent use.
type targets struct {
	bounds  func(endpoint string) bounds // looks at what is in memory
	workers sync.WaitGroup               // those of lanes

	mu       sync.Mutex
	lanes    map[targetID]*lane
	circuits map[targetID]*circuit
	calls    map[targetID]int // that senders wait for
	buckets  buckets
	all      budget
	refilled budget // of all, what is from backlogs
	closed   bool   // this receiver ends
}

func newTargets(of func(endpoint string) bounds) *targets {
	return &targets{
		bounds: of, lanes: map[targetID]*lane{}, circuits: map[targetID]*circuit{}, calls: map[targetID]int{}, buckets: buckets{},
	}
}

// put queues a job in the lane of its target. ok is false if there is no room, or
// the target takes nothing now. worker: the caller has to start one for the lane.
func (t *targets) put(j *job, now time.Time) (ok, worker bool) {
	id := j.target()
	b := t.bounds(id.endpoint)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false, false
	}
	l := t.lanes[id]
	if l == nil {
		l = &lane{}
	}
	if !t.fits(l, j, b) {
		l.refused = true
		return false, false
	}
	if !t.admits(j, now) {
		return false, false
	}
	t.lanes[id] = l
	t.add(l, j)
	if l.workers < b.inFlight {
		l.workers++
		t.workers.Add(1)
		worker = true
	}
	return true, worker
}

// fits reports whether a lane may take one more job. An empty lane may use the
// reserve, so that a target that works gets its events even when others that are
// stuck have filled all the room. It takes a job of any size when nothing else
// is in memory, or a large event would never go. What comes from a backlog has a
// share of its own, so that live traffic can't keep it out for ever.
func (t *targets) fits(l *lane, j *job, b bounds) bool {
	freeJobs, freeBytes := maxJobs-t.all.jobs, maxBytes-t.all.bytes
	if l.all.jobs == 0 || j.fromBacklog() {
		return freeJobs+reserveJobs > 0 && freeBytes+reserveBytes >= j.size || t.all.jobs == 0
	}
	return !t.full(l, b) && l.all.bytes+j.size <= freeBytes/laneShare
}

// full reports whether a lane holds as many jobs as it may, besides those from its
// backlog.
func (t *targets) full(l *lane, b bounds) bool {
	return l.all.jobs-l.refilled >= min((maxJobs-t.all.jobs)/laneShare, b.depth)
}

func (t *targets) add(l *lane, j *job) {
	t.all.add(j)
	l.all.add(j)
	if j.fromBacklog() {
		t.refilled.add(j)
		l.refilled++
	}
	if j.fromLog() {
		l.log = append(l.log, j)
	} else {
		l.live = append(l.live, j)
	}
}

// remove is the inverse of add, for a job that was taken from its queue.
func (t *targets) remove(l *lane, j *job) {
	t.all.remove(j)
	l.all.remove(j)
	if j.fromBacklog() {
		t.refilled.remove(j)
		l.refilled--
	}
}

// next takes a job for a worker; nil: the worker ends, and with the last one the
// lane.
func (t *targets) next(id targetID) *job {
	share := logShare(t.bounds(id.endpoint).inFlight)
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lanes[id]
	if j := l.take(share); j != nil {
		return j
	}
	if l.workers--; l.workers == 0 {
		delete(t.lanes, id)
	}
	t.workers.Done()
	return nil
}

// done ends a job that ran. It reports whether its lane has room again for what is
// held.
func (t *targets) done(j *job) (room bool) {
	depth := t.bounds(j.event.Endpoint).refillDepth()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.abandon(j)
	l := t.lanes[j.target()]
	t.remove(l, j)
	if j.fromLog() {
		l.running--
	}
	room = j.fromBacklog() && l.refilled <= depth/2 || l.refused && l.all.jobs <= depth/2
	if room {
		l.refused = false
	}
	return room
}

// empty takes all jobs out of a lane that have not begun; nil: there is no lane.
func (t *targets) empty(l *lane) []*job {
	if l == nil {
		return nil
	}
	left := l.clear()
	for _, j := range left {
		t.remove(l, j)
	}
	return left
}

// room is how much may still be taken into memory.
func (t *targets) room() (jobs int, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, 0
	}
	return maxJobs + reserveJobs - t.all.jobs, maxBytes + reserveBytes - t.all.bytes
}

// refillable is how much of its backlog a target may get now, and whether only of that
// which has not failed. A target that this receiver knows nothing about gets one
// delivery first.
func (t *targets) refillable(id targetID, now time.Time) (jobs int, bytes int64, unfailed bool) {
	depth := t.bounds(id.endpoint).refillDepth()
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.circuits[id]
	if c == nil {
		c = &circuit{}
		t.circuits[id] = c
	}
	c.used = now
	if !c.proven {
		depth = 1
	}
	if c.blocks(now) {
		return 0, 0, false
	}
	if l := t.lanes[id]; l != nil && !c.open {
		depth -= l.refilled
	}
	jobs, bytes = t.refillRoom(depth)
	return jobs, bytes, c.wantsUnfailed(now)
}

// expirable is how much may be taken, of so many, of what is too old in backlogs.
func (t *targets) expirable(most int) (jobs int, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refillRoom(most)
}

// refillRoom is how much of so many jobs from backlogs there is room for.
func (t *targets) refillRoom(most int) (jobs int, bytes int64) {
	bytes = min(maxRefilledBytes-t.refilled.bytes, maxBytes+reserveBytes-t.all.bytes)
	if t.closed || bytes <= 0 {
		return 0, 0
	}
	return min(most, maxRefilled-t.refilled.jobs, maxJobs+reserveJobs-t.all.jobs), bytes
}

// close makes put refuse everything and returns the jobs that have not begun.
func (t *targets) close() []*job {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	var left []*job
	for _, l := range t.lanes {
		left = append(left, l.clear()...)
	}
	return left
}
