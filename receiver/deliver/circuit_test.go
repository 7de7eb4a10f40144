package deliver

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// most takes the largest jitter, none takes no jitter.
func most(n int64) int64 { return n - 1 }
func none(int64) int64   { return 0 }

var anyTime = time.Unix(1780000000, 0)

// failTimes lets so many events fail and returns whether the circuit opened.
func failTimes(c *circuit, events, points int) bool {
	opened := false
	for i := range events {
		opened = c.fail(anyTime, failure{event: fmt.Sprint(i), points: points, reason: "it failed"}, none) || opened
	}
	return opened
}

func TestACircuitOpensAfterFailuresInARow(t *testing.T) {
	for name, test := range map[string]struct{ points, events int }{
		"no answer": {pointsNoAnswer, 5}, "answers of 500": {pointsAnswer, 10},
	} {
		c := &circuit{}
		if failTimes(c, test.events-1, test.points) || c.open {
			t.Errorf("%s: the circuit is open after %d failures", name, test.events-1)
		}
		c.succeed(anyTime, "another")
		c.suspects = nil // or the same events would not count again
		if failTimes(c, test.events-1, test.points) {
			t.Errorf("%s: failures before a success were counted", name)
		}
		if !c.fail(anyTime, failure{event: "last", points: test.points}, none) || !c.open {
			t.Errorf("%s: the circuit is closed after %d failures in a row", name, test.events)
		}
	}
}

func TestOneEventDoesNotOpenACircuit(t *testing.T) {
	c := &circuit{}
	for range 100 {
		if c.fail(anyTime, failure{event: "poison", points: pointsNoAnswer}, none) {
			t.Fatal("one event opened the circuit")
		}
	}
}

func TestAnOpenCircuitAdmitsOneProbe(t *testing.T) {
	c := &circuit{}
	failTimes(c, tripPoints, pointsAnswer)
	for _, step := range []struct {
		after time.Duration
		ok    bool
	}{{0, false}, {minProbe - 1, false}, {minProbe, true}, {minProbe, false}, {time.Hour, false}} {
		ok, p := c.admit(anyTime.Add(step.after), "new", false)
		if ok != step.ok || (p == unfailed) != ok {
			t.Errorf("after %s: admitted %t as probe %d, want %t", step.after, ok, p, step.ok)
		}
	}
	c.abandon(unfailed)
	if ok, p := c.admit(anyTime.Add(time.Hour), "new", false); !ok || p != unfailed {
		t.Error("there is no further probe after one that said nothing")
	}
	if !c.succeed(anyTime, "new") || c.open {
		t.Error("a probe that succeeded did not close the circuit")
	}
	if ok, p := c.admit(anyTime, "new", true); !ok || p != noProbe {
		t.Error("a closed circuit does not admit everything")
	}
}

// What has failed is the probe after what has not, and what has not need not wait for
// it, even while it hangs.
func TestWhatHasFailedIsNotInTheWayOfWhatHasNot(t *testing.T) {
	c := &circuit{}
	failTimes(c, tripPoints, pointsAnswer)
	at := anyTime.Add(minProbe)
	if ok, _ := c.admit(at, "0", false); ok || !c.wantsUnfailed(at) {
		t.Error("an event that opened the circuit is the first probe")
	}
	at = at.Add(retryPatience)
	if ok, p := c.admit(at, "0", false); !ok || p != anyProbe {
		t.Error("an event that opened the circuit is not the probe where there is no other")
	}
	if ok, _ := c.admit(at, "retried", true); ok {
		t.Error("two that have failed are probes")
	}
	if ok, p := c.admit(at, "new", false); !ok || p != unfailed {
		t.Error("a new event waits for a probe that may hang")
	}
	c.abandon(unfailed)
	for range 10 {
		c.fail(at, failure{event: "0", points: pointsNoAnswer, probe: anyProbe}, none)
	}
	if ok, _ := c.admit(at, "retried", true); ok {
		t.Error("probes that fail don't back off")
	}
	if ok, p := c.admit(at, "new", false); !ok || p != unfailed {
		t.Error("a new event waits because others fail")
	}
}

// Events that fail while the target takes others don't open its circuit, whatever their
// number and the order; events of which the target has taken none since do.
func TestEventsThatFailByThemselvesDoNotCount(t *testing.T) {
	c := &circuit{}
	now := anyTime
	for round := range 20 {
		for i := range 3 * tripPoints {
			if c.fail(now, failure{event: fmt.Sprint(i), points: pointsNoAnswer}, none) && round > 2*tripPoints {
				t.Fatalf("round %d: the circuit opened by events that fail always", round)
			}
			if c.open || i%(tripPoints/pointsNoAnswer) == 0 {
				c.succeed(now, "another")
			}
			now = now.Add(time.Second)
		}
	}
	opened := 0
	for i := range 3 * tripPoints {
		if c.fail(now, failure{event: fmt.Sprint(i), points: pointsNoAnswer}, none) {
			opened++
		}
	}
	if opened != 0 || !c.proven {
		t.Error("the circuit opened although the target has just taken another event")
	}
	now = now.Add(suspicion)
	for i := range 3 * tripPoints {
		c.fail(now, failure{event: fmt.Sprint("new", i), points: pointsNoAnswer}, none)
	}
	if !c.open {
		t.Error("the circuit is closed although the target takes nothing")
	}
}

func TestAMemoryIsBounded(t *testing.T) {
	c := &circuit{}
	for round := range 5 {
		for i := range maxRemembered / 2 {
			c.fail(anyTime, failure{event: fmt.Sprint(round, "-", i)}, none)
		}
		c.succeed(anyTime, "another")
		if len(c.suspects) > maxRemembered {
			t.Fatalf("%d events are remembered", len(c.suspects))
		}
	}
	for i := range 3 * maxRemembered {
		c.fail(anyTime, failure{event: fmt.Sprint(i)}, none)
	}
	if len(c.failing) > maxRemembered {
		t.Errorf("%d events are remembered", len(c.failing))
	}
}

func TestProbesBackOff(t *testing.T) {
	for _, p := range []probe{unfailed, anyProbe} {
		c := &circuit{}
		failTimes(c, tripPoints, pointsAnswer)
		now := c.probes[p].at
		for i, want := range []float64{2, 4, 8, 16, 32, 60, 60} {
			c.admit(now, "x", p == anyProbe)
			c.fail(now, failure{event: "straggler"}, none) // began before the circuit opened
			if c.fail(now, failure{event: "x", points: 1, probe: p}, none) {
				t.Error("a probe that failed opened the circuit once more")
			}
			if got := c.probes[p].at.Sub(now).Seconds(); got != want {
				t.Errorf("wait %d is %vs, want %vs", i, got, want)
			}
			now = c.probes[p].at
		}
	}
	if got := probeWait(0, most); got <= 3*minProbe/4 || got > minProbe {
		t.Errorf("with jitter the wait is %s", got)
	}
}

func TestRetryAfterDelaysTheProbe(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{20 * time.Second: 20 * time.Second, time.Hour: maxProbe, 0: minProbe} {
		c := &circuit{points: tripPoints - 1}
		c.fail(anyTime, failure{event: "x", points: 1, asked: asked}, none)
		if got := c.probes[unfailed].at.Sub(anyTime); got != want {
			t.Errorf("asked for %s: the probe is due in %s, want %s", asked, got, want)
		}
	}
}

func TestWhatSpeaksAgainstATarget(t *testing.T) {
	broken := errors.New("no")
	for name, test := range map[string]struct {
		result outcome
		want   int
	}{
		"200":        {outcome{verdict: delivered, status: 200}, 0},
		"410":        {outcome{verdict: refused, status: 410, err: broken}, 0},
		"400":        {outcome{verdict: failed, status: 400, err: broken}, 0},
		"302":        {outcome{verdict: failed, status: 302, err: broken}, 0},
		"429":        {outcome{verdict: failed, status: 429, err: broken}, pointsAnswer},
		"500":        {outcome{verdict: failed, status: 500, err: broken}, pointsAnswer},
		"no answer":  {outcome{verdict: failed, err: broken}, pointsNoAnswer},
		"breaks off": {outcome{verdict: failed, status: 200, err: broken}, pointsNoAnswer},
		"too long":   {outcome{verdict: failed, status: 200, err: errTooLong}, 0},
	} {
		if got := pointsOf(test.result); got != test.want {
			t.Errorf("%s: %d points, want %d", name, got, test.want)
		}
	}
}

func TestIdleCircuitsAreForgotten(t *testing.T) {
	open := &circuit{}
	failTimes(open, tripPoints, pointsAnswer)
	failing := &circuit{}
	failTimes(failing, 1, pointsAnswer)
	for name, test := range map[string]struct {
		c     *circuit
		after time.Duration
		want  bool
	}{
		"new": {&circuit{}, 0, true}, "failing": {failing, time.Minute, false}, "failed long ago": {failing, 2 * time.Hour, true},
		"open": {open, time.Minute, false}, "opened long ago": {open, 2 * time.Hour, true},
	} {
		if got := test.c.idle(anyTime.Add(test.after)); got != test.want {
			t.Errorf("%s: idle is %t, want %t", name, got, test.want)
		}
	}
}
