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
	// retryPatience is how much longer a delivery that has failed waits to be the probe,
	// so that one comes first that has not: backlogs are looked at once a second.
	retryPatience = 2 * maxSleep

	// suspicion is for how long after its last success a target is not blamed for events
	// that had failed before it.
	suspicion = time.Minute

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
// Some events fail whatever state their target is in. They must not hold up the others,
// neither by opening the circuit again and again nor by being each of its probes. So the
// circuit does not count a failure of an event that had failed before the target's last
// success. And it has two probes: one with a delivery that has not failed, and a later
// one with any, for which the first need not wait.
//
// It is memory only: after a crash the failures are counted anew, while the
// backlog is in the log. Each receiver has its own, since one may reach a target
// that another one can't. The zero value is closed. targets.mu guards it.
type circuit struct {
	failing   memory    // the events that failed since the last success
	points    int       // of those
	suspects  memory    // the events that failed before it
	succeeded time.Time // the last success
	proven    bool      // the last attempt succeeded, and was made by this receiver

	open    bool
	noRoute bool    // open because of the route: it is gone, or its Service is not there
	reason  string  // why it is open
	trips   int     // probes that failed in a row
	probes  [3]slot // by probe; that of noProbe is not used

	used     time.Time // by a failure, or because there is a backlog
	expireAt time.Time // when to look for what is too old
}

// probe says which of the probes of a circuit a delivery is.
type probe int

const (
	noProbe  probe = iota
	unfailed       // made with a delivery that has not failed
	anyProbe       // made with one that has
)

// slot is for one probe at a time.
type slot struct {
	at   time.Time // when the next one may be made
	busy bool      // one is under way
}

func (s *slot) due(now time.Time) bool { return !s.busy && !now.Before(s.at) }

// failure is one attempt that failed for a reason that may concern all events.
type failure struct {
	event  string // id
	points int
	asked  time.Duration // by Retry-After
	reason string
	probe  probe
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

// admit reports whether a delivery may be attempted now, and as which probe. failed:
// it has failed before.
func (c *circuit) admit(now time.Time, event string, failed bool) (ok bool, p probe) {
	if !c.open {
		return true, noProbe
	}
	p = unfailed
	if failed || c.failing.has(event) {
		p = anyProbe
	}
	if !c.probes[p].due(now) {
		return false, noProbe
	}
	c.probes[p].busy = true
	return true, p
}

// blocks reports whether admit would refuse every delivery. No circuit refuses nothing.
func (c *circuit) blocks(now time.Time) bool {
	return c != nil && c.open && !c.probes[unfailed].due(now) && !c.probes[anyProbe].due(now)
}

// wantsUnfailed reports whether admit would refuse a delivery that has failed, and no
// other.
func (c *circuit) wantsUnfailed(now time.Time) bool {
	return c.open && c.probes[unfailed].due(now) && !c.probes[anyProbe].due(now)
}

// fail notes a failure and reports whether it opened the circuit.
func (c *circuit) fail(now time.Time, f failure, random func(int64) int64) (opened bool) {
	c.used = now
	known := c.failing.has(f.event) || c.suspects.has(f.event) && now.Sub(c.succeeded) < suspicion
	c.failing.add(f.event)
	switch {
	case c.open && f.probe == noProbe:
		return false // an attempt that began before
	case c.open:
		c.trips++
	case known:
		return false
	default:
		c.proven = false
		if c.points += f.points; c.points < tripPoints {
			return false
		}
		opened = true
	}
	at := c.shut(now, f.asked, f.reason, random)
	c.noRoute = false
	c.probes[f.probe].busy = false
	if f.probe != anyProbe {
		c.probes[unfailed].at = at
		at = at.Add(retryPatience)
	}
	c.probes[anyProbe].at = at
	return opened
}

// hold opens the circuit because nothing can be delivered for a reason of our own
// side: the route, or the cluster's DNS. It reports whether it was closed before.
func (c *circuit) hold(now time.Time, reason string, noRoute bool, p probe, random func(int64) int64) (opened bool) {
	c.used = now
	if c.open && p == noProbe {
		return false
	}
	opened = !c.open
	if c.open {
		c.trips++
	}
	c.probes[p].busy = false
	c.probeFrom(c.shut(now, 0, reason, random))
	c.noRoute = noRoute
	return opened
}

// shut opens the circuit, or keeps it open, and returns when to probe it next.
func (c *circuit) shut(now time.Time, asked time.Duration, reason string, random func(int64) int64) time.Time {
	if !c.open {
		c.expireAt = now.Add(expireEvery)
	}
	c.open, c.proven, c.reason, c.points = true, false, reason, 0
	return now.Add(max(probeWait(c.trips, random), min(asked, maxProbe)))
}

// probeFrom makes any delivery the next probe.
func (c *circuit) probeFrom(at time.Time) { c.probes[unfailed].at, c.probes[anyProbe].at = at, at }

// probeWait is the time to the next probe: a quarter of it is jitter, so that
// receivers and targets don't fall into step.
func probeWait(trips int, random func(int64) int64) time.Duration {
	wait := min(minProbe<<min(trips, 10), maxProbe)
	return wait - time.Duration(random(int64(wait/4)))
}

// succeed notes that the target answered an event as a target does that works. It
// reports whether that closed the circuit.
func (c *circuit) succeed(now time.Time, event string) (closed bool) {
	closed = c.open
	suspects := c.suspects.with(c.failing)
	suspects.remove(event)
	*c = circuit{proven: true, used: c.used, suspects: suspects, succeeded: now}
	return closed
}

// abandon ends a probe that said nothing about the target.
func (c *circuit) abandon(p probe) { c.probes[p].busy = false }

// idle reports whether nothing is worth remembering.
func (c *circuit) idle(now time.Time) bool {
	suspicious := len(c.suspects) > 0 && now.Sub(c.succeeded) < suspicion
	return !c.open && c.points == 0 && !suspicious || now.Sub(c.used) > circuitMemory
}
