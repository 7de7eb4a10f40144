package deliver

import (
	"errors"
	"net/http"
	"time"
)

const (
	// tripPoints open a circuit: five deliveries in a row that got no answer, or
	// ten that were answered 5xx or 429. A delivery counts once, however often it
	// fails, so that one event that a target can't digest doesn't hold up others.
	tripPoints     = 10
	pointsNoAnswer = 2
	pointsAnswer   = 1

	// minProbe and maxProbe bound the time until the next probe of a target. It
	// doubles with each probe that fails.
	minProbe = time.Second
	maxProbe = time.Minute

	// circuitMemory is for how long failures are remembered of a target that gets
	// nothing any more.
	circuitMemory = time.Hour
	// expireEvery is the time between two looks for what has become too old in a
	// backlog whose circuit is open.
	expireEvery = time.Minute
)

// circuit is what one receiver knows about a target that fails, or that has a
// backlog. Closed, the target gets everything; open, it gets nothing until the
// next probe, which is one delivery, and on whose success the circuit closes.
//
// It is memory only: after a crash the failures are counted anew, while the
// backlog is in the log. Each receiver has its own, since one may reach a target
// that another one can't. The zero value is closed. targets.mu guards it.
type circuit struct {
	failing map[string]bool // closed: the events that failed since the last success
	points  int             // of those
	proven  bool            // the last attempt succeeded, and was made by this receiver

	open    bool
	noRoute bool      // open because of the route: it is gone, or its Service is not there
	reason  string    // why it is open
	until   time.Time // when the next probe may be made
	trips   int       // probes that failed in a row
	probing bool      // a probe is under way

	used     time.Time // by a failure, or because there is a backlog
	expireAt time.Time // when to look for what is too old
}

// failure is one attempt that failed for a reason that may concern all events.
type failure struct {
	event  string // id
	points int
	asked  time.Duration // by Retry-After
	reason string
	probe  bool
}

// pointsOf scores how much a result suggests that the target takes nothing at all. Any
// answer other than 5xx or 429 scores 0: it shows that the target works.
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

// admit reports whether a delivery may be attempted now, and whether it is the probe.
func (c *circuit) admit(now time.Time) (ok, probe bool) {
	switch {
	case !c.open:
		return true, false
	case c.probing || now.Before(c.until):
		return false, false
	}
	c.probing = true
	return true, true
}

// blocks reports whether admit would refuse. No circuit refuses nothing.
func (c *circuit) blocks(now time.Time) bool {
	return c != nil && c.open && (c.probing || now.Before(c.until))
}

// fail notes a failure and reports whether it opened the circuit.
func (c *circuit) fail(now time.Time, f failure, random func(int64) int64) (opened bool) {
	c.used, c.proven = now, false
	switch {
	case c.open && !f.probe:
		return false // an attempt that began before
	case c.open:
		c.trips++
		c.probing = false
	default:
		if c.failing == nil {
			c.failing = map[string]bool{}
		}
		if !c.failing[f.event] {
			c.failing[f.event] = true
			c.points += f.points
		}
		if c.points < tripPoints {
			return false
		}
		opened = true
	}
	c.shut(now, f.asked, f.reason, random)
	c.noRoute = false
	return opened
}

// hold opens the circuit because nothing can be delivered for a reason of our own
// side: the route, or the cluster's DNS. It reports whether it was closed before.
func (c *circuit) hold(now time.Time, reason string, noRoute, probe bool, random func(int64) int64) (opened bool) {
	c.used, c.proven = now, false
	if c.open && !probe {
		return false
	}
	opened = !c.open
	if c.open {
		c.trips++
	}
	c.probing = false
	c.shut(now, 0, reason, random)
	c.noRoute = noRoute
	return opened
}

func (c *circuit) shut(now time.Time, asked time.Duration, reason string, random func(int64) int64) {
	if !c.open {
		c.expireAt = now.Add(expireEvery)
	}
	c.open, c.reason = true, reason
	c.failing, c.points = nil, 0
	c.until = now.Add(max(probeWait(c.trips, random), min(asked, maxProbe)))
}

// probeWait is the time to the next probe: a quarter of it is jitter, so that
// receivers and targets don't fall into step.
func probeWait(trips int, random func(int64) int64) time.Duration {
	wait := min(minProbe<<min(trips, 10), maxProbe)
	return wait - time.Duration(random(int64(wait/4)))
}

// succeed notes that the target answered as a target does that works. It reports
// whether that closed the circuit.
func (c *circuit) succeed() (closed bool) {
	closed = c.open
	*c = circuit{proven: true, used: c.used}
	return closed
}

// abandon ends a probe that said nothing about the target.
func (c *circuit) abandon() { c.probing = false }

// idle reports whether nothing is worth remembering.
func (c *circuit) idle(now time.Time) bool {
	return !c.open && c.points == 0 || now.Sub(c.used) > circuitMemory
}
