package deliver

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
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

	// maxBlocked bounds how many targets a claim is told about; what it takes for
	// others is held one by one.
	maxBlocked = 256
)

// targets is what this receiver has in memory for its targets, and knows of them:
// a lane, a circuit, calls and a bucket of each, within one budget. It has one lock,
// and neither waits nor writes anything: what is to be held, woken or logged it
// returns. It is safe for concurrent use.
type targets struct {
	bounds  func(endpoint string) bounds
	workers sync.WaitGroup // those of lanes

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

// admits asks the circuit of a target whether it may have a job now.
func (t *targets) admits(j *job, now time.Time) (ok bool) {
	c := t.circuits[j.target()]
	if c == nil || j.from == expired {
		return true
	}
	ok, j.probe = c.admit(now)
	return ok
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

// abandon ends the probe that a job was, if it said nothing about its target.
func (t *targets) abandon(j *job) {
	if c := t.circuits[j.target()]; c != nil && j.probe {
		c.abandon()
	}
	j.probe = false
}

// lesson is what followed for a target from an attempt.
type lesson struct {
	proven bool // the circuit knows now that its target works
	closed bool // the circuit was open
	opened bool // the circuit was closed

	// Of a circuit that opened: why, when the next probe may be made, and what was
	// queued and has to be held.
	reason string
	probe  time.Time
	left   []*job
}

// learn tells the circuit of a target what came of an attempt.
func (t *targets) learn(j *job, result outcome, now time.Time) lesson {
	id := j.target()
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.circuits[id]
	probe, points := j.probe, pointsOf(result)
	j.probe = false
	if result.verdict != held && points == 0 {
		if c == nil {
			return lesson{}
		}
		unproven := !c.proven
		return lesson{proven: unproven, closed: c.succeed()}
	}
	if c == nil {
		c = &circuit{}
		t.circuits[id] = c
	}
	var opened bool
	if result.verdict == held {
		opened = c.hold(now, result.err.Error(), result.noRoute, probe, random)
	} else {
		opened = c.fail(now, failure{event: j.event.ID, points: points, asked: result.retryAfter, reason: result.err.Error(), probe: probe}, random)
	}
	if !opened {
		return lesson{}
	}
	return lesson{opened: true, reason: c.reason, probe: c.until, left: t.empty(t.lanes[id])}
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

// openBecause says why the circuit of a target is open; "": it is closed.
func (t *targets) openBecause(id targetID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.circuits[id]; c != nil && c.open {
		return c.reason
	}
	return ""
}

// bucket is that of a target with a rate limit.
func (t *targets) bucket(id targetID, limit route.RateLimit) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buckets.of(id, limit)
}

// enter lets a call through to its target, which may have so many at a time. If it
// does, the caller has to leave.
func (t *targets) enter(call *job, most int, now time.Time) error {
	id := call.target()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls[id] >= most {
		return ErrCrowded
	}
	if !t.admits(call, now) {
		return fmt.Errorf("%w: the target's circuit is open: %s", ErrNotNow, t.circuits[id].reason)
	}
	t.calls[id]++
	return nil
}

// leave ends a call.
func (t *targets) leave(call *job) {
	id := call.target()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.abandon(call)
	if t.calls[id]--; t.calls[id] == 0 {
		delete(t.calls, id)
	}
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

// blocked are the targets that take nothing now: their circuit is open, or their
// lane is full.
func (t *targets) blocked(now time.Time) []store.Target {
	t.mu.Lock()
	defer t.mu.Unlock()
	var blocked []store.Target
	add := func(id targetID) {
		if len(blocked) < maxBlocked {
			blocked = append(blocked, store.Target{Endpoint: id.endpoint, Name: id.name})
		}
	}
	for id, c := range t.circuits {
		if c.blocks(now) {
			add(id)
		}
	}
	for id, l := range t.lanes {
		if c := t.circuits[id]; t.full(l, t.bounds(id.endpoint)) && (c == nil || !c.blocks(now)) {
			add(id)
		}
	}
	return blocked
}

// refillable is how much of its backlog a target may get now. A target of which
// this receiver knows nothing gets one delivery first.
func (t *targets) refillable(id targetID, now time.Time) (jobs int, bytes int64) {
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
		return 0, 0
	}
	if l := t.lanes[id]; l != nil {
		depth -= l.refilled
	}
	return t.refillRoom(depth)
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

// expires reports whether it is time to look for what is too old in the backlog of
// a target that takes nothing.
func (t *targets) expires(id targetID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.circuits[id]
	if c == nil || !c.open || now.Before(c.expireAt) {
		return false
	}
	c.expireAt = now.Add(expireEvery)
	return true
}

// expireAgain makes the next look go on where one has found as much as it could
// take.
func (t *targets) expireAgain(id targetID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.circuits[id]; c != nil {
		c.expireAt = time.Time{}
	}
}

// prune drops circuits and buckets that say nothing, and lets a target be probed at
// once whose route is good again. present are the targets with a backlog. It returns
// the targets whose circuits it dropped.
func (t *targets) prune(present map[targetID]bool, now time.Time, routed func(targetID) bool) (dropped []targetID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.circuits {
		switch {
		case c.probing:
		case c.idle(now) && !present[id]:
			delete(t.circuits, id)
			dropped = append(dropped, id)
		case c.noRoute && now.Before(c.until) && routed(id):
			c.until = now
		}
	}
	t.buckets.prune()
	return dropped
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
