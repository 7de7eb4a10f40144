package deliver

import (
	"fmt"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// maxBlocked bounds how many targets a claim is told about; what it takes for
// others is held one by one.
const maxBlocked = 256

// admits asks the circuit of a target whether it may have a job now.
func (t *targets) admits(j *job, now time.Time) (ok bool) {
	c := t.circuits[j.target()]
	if c == nil || j.from == expired {
		return true
	}
	if c.open && j.from == claimed {
		return false // a retry is no better a probe than what its backlog has
	}
	ok, j.probe = c.admit(now, j.event.ID, j.failure.Attempts > 0)
	return ok
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
	p, points := j.probe, pointsOf(result)
	j.probe = noProbe
	if result.verdict != held && points == 0 {
		if c == nil {
			return lesson{}
		}
		unproven := !c.proven
		return lesson{proven: unproven, closed: c.succeed(now, j.event.ID)}
	}
	if c == nil {
		c = &circuit{}
		t.circuits[id] = c
	}
	var opened bool
	if result.verdict == held {
		opened = c.hold(now, result.err.Error(), result.noRoute, p, random)
	} else {
		opened = c.fail(now, failure{event: j.event.ID, points: points, asked: result.retryAfter, reason: result.err.Error(), probe: p}, random)
	}
	if !opened {
		return lesson{}
	}
	return lesson{opened: true, reason: c.reason, probe: c.probes[unfailed].at, left: t.empty(t.lanes[id])}
}

// abandon ends the probe that a job was, if it said nothing about its target.
func (t *targets) abandon(j *job) {
	if c := t.circuits[j.target()]; c != nil && j.probe != noProbe {
		c.abandon(j.probe)
	}
	j.probe = noProbe
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

// blocked are the targets for which nothing is claimed now: their circuit is open, so
// that what they get comes from their backlog, or their lane is full.
func (t *targets) blocked() []store.Target {
	t.mu.Lock()
	defer t.mu.Unlock()
	var blocked []store.Target
	add := func(id targetID) {
		if len(blocked) < maxBlocked {
			blocked = append(blocked, store.Target{Endpoint: id.endpoint, Name: id.name})
		}
	}
	for id, c := range t.circuits {
		if c.open {
			add(id)
		}
	}
	for id, l := range t.lanes {
		if c := t.circuits[id]; t.full(l, t.bounds(id.endpoint)) && (c == nil || !c.open) {
			add(id)
		}
	}
	return blocked
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
		case c.probes[unfailed].busy, c.probes[anyProbe].busy:
		case c.idle(now) && !present[id]:
			delete(t.circuits, id)
			dropped = append(dropped, id)
		case c.noRoute && c.blocks(now) && routed(id):
			c.probeFrom(now)
		}
	}
	t.buckets.prune()
	return dropped
}
