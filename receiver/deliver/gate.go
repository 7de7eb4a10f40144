package deliver

import (
	"errors"
	"net/http"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// maxBlocked bounds how many targets a claim is told about; what it takes for
// others is parked one by one.
const maxBlocked = 256

// admits asks the circuit of a target whether it may have a job now. The caller
// holds mu.
func (d *Dispatcher) admits(key laneKey, j *job) bool {
	c := d.circuits[key]
	if c == nil || j.expired {
		return true
	}
	ok, probe := c.admit(d.o.Store.Now())
	j.probe = probe
	return ok
}

// blocked are the targets that take nothing now: their circuit is open, or their
// lane is full.
func (d *Dispatcher) blocked() []store.Target {
	now := d.o.Store.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	var targets []store.Target
	add := func(key laneKey) {
		if len(targets) < maxBlocked {
			targets = append(targets, store.Target{Endpoint: key.endpoint, Name: key.target})
		}
	}
	for key, c := range d.circuits {
		if c.blocks(now) {
			add(key)
		}
	}
	for key, l := range d.lanes {
		if c := d.circuits[key]; l.jobs-l.drained >= d.laneRoom(key) && (c == nil || !c.blocks(now)) {
			add(key)
		}
	}
	return targets
}

// learn tells the circuit of a target what came of an attempt.
func (d *Dispatcher) learn(j *job, result outcome) {
	points := pointsOf(result)
	if points == 0 {
		d.succeeded(j)
		return
	}
	d.failed(j, func(c *circuit, now time.Time) bool {
		return c.fail(now, failure{event: j.event.ID, points: points, asked: result.retryAfter, reason: result.err.Error(), probe: j.probe}, random)
	})
}

// learnHeld tells the circuit of a target that nothing can be delivered to it, for
// a reason of our own side.
func (d *Dispatcher) learnHeld(j *job, reason string, noRoute bool) {
	d.failed(j, func(c *circuit, now time.Time) bool { return c.hold(now, reason, noRoute, j.probe, random) })
}

func (d *Dispatcher) succeeded(j *job) {
	key := j.lane()
	d.mu.Lock()
	c := d.circuits[key]
	unproven := c != nil && !c.proven
	closed := c != nil && c.succeed()
	j.probe = false
	d.mu.Unlock()
	if unproven {
		d.wakeDrain()
	}
	if closed {
		d.metrics.circuitOpen.DeleteLabelValues(key.endpoint, key.target)
		d.o.Log.Info("a target takes deliveries again: its circuit closes, and its backlog drains",
			"endpoint", key.endpoint, "target", key.target)
	}
}

// failed lets note change the circuit, and parks what is queued if it opens.
func (d *Dispatcher) failed(j *job, note func(*circuit, time.Time) bool) {
	key, now := j.lane(), d.o.Store.Now()
	d.mu.Lock()
	c := d.circuits[key]
	if c == nil {
		c = &circuit{}
		d.circuits[key] = c
	}
	opened := note(c, now)
	j.probe = false
	reason, wait := c.reason, c.until.Sub(now)
	var left []*job
	if opened {
		left = d.emptyLane(key)
	}
	d.mu.Unlock()
	if !opened {
		return
	}
	d.metrics.circuitOpen.WithLabelValues(key.endpoint, key.target).Set(1)
	d.o.Log.Warn("a target takes no deliveries: its circuit opens, what is stored is parked, and senders that wait for it get 503",
		"endpoint", key.endpoint, "target", key.target, "reason", reason, "nextProbe", wait.String())
	for _, j := range left {
		d.park(j)
	}
}

// pointsOf tells what speaks for a target that takes nothing from what is about
// one event: any answer but 5xx and 429 shows that it works.
func pointsOf(result outcome) int {
	switch {
	case result.verdict != failed, errors.Is(result.err, errTooLong):
		return 0
	case result.status < 300: // none, or a 2xx that breaks off
		return pointsNoAnswer
	case result.status >= 500 || result.status == http.StatusTooManyRequests:
		return pointsAnswer
	}
	return 0
}

// openBecause says why the circuit of a target is open; "": it is closed.
func (d *Dispatcher) openBecause(key laneKey) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.circuits[key]; c != nil && c.open {
		return c.reason
	}
	return ""
}

// abandoned ends the probe that a job was, if it said nothing about its target.
func (d *Dispatcher) abandoned(j *job) {
	if !j.probe {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	j.probe = false
	if c := d.circuits[j.lane()]; c != nil {
		c.abandon()
	}
}

// tidy forgets circuits that nothing is to be known about, and has targets probed
// whose route is good again. present are the targets with a backlog.
func (d *Dispatcher) tidy(present map[laneKey]bool) {
	now := d.o.Store.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, c := range d.circuits {
		switch {
		case c.probing:
		case c.idle(now) && !present[key]:
			delete(d.circuits, key)
			d.metrics.circuitOpen.DeleteLabelValues(key.endpoint, key.target)
		case c.noRoute && now.Before(c.until):
			if _, reason := d.routeTo(key); reason == "" {
				c.until = now
			}
		}
	}
}
