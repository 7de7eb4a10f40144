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
		c.succeed()
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
		ok, probe := c.admit(anyTime.Add(step.after))
		if ok != step.ok || probe != ok {
			t.Errorf("after %s: admitted %t as a probe %t, want %t", step.after, ok, probe, step.ok)
		}
	}
	c.abandon()
	if ok, probe := c.admit(anyTime.Add(time.Hour)); !ok || !probe {
		t.Error("there is no further probe after one that said nothing")
	}
	if !c.succeed() || c.open {
		t.Error("a probe that succeeded did not close the circuit")
	}
	if ok, probe := c.admit(anyTime); !ok || probe {
		t.Error("a closed circuit does not admit everything")
	}
}

func TestProbesBackOff(t *testing.T) {
	c := &circuit{}
	failTimes(c, tripPoints, pointsAnswer)
	now := anyTime
	for i, want := range []float64{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := c.until.Sub(now).Seconds(); got != want {
			t.Errorf("wait %d is %vs, want %vs", i, got, want)
		}
		now = c.until
		c.admit(now)
		c.fail(now, failure{event: "straggler"}, none) // began before the circuit opened
		if c.fail(now, failure{event: "x", points: 1, probe: true}, none) {
			t.Error("a probe that failed opened the circuit once more")
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
		if got := c.until.Sub(anyTime); got != want {
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
