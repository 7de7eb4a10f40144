package deliver

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// someRules are those of an endpoint that gives up after three attempts, or two hours.
var someRules = route.Delivery{Retry: route.Retry{
	MaxAttempts: 3, MinBackoff: route.Duration(time.Second), MaxBackoff: route.Duration(time.Minute), MaxAge: route.Duration(2 * time.Hour),
}}

func TestDecisions(t *testing.T) {
	broken := errors.New("it broke")
	earlier := store.Failure{Attempts: 1, Error: "it broke before", First: anyTime.Add(-time.Minute), Since: anyTime.Add(-time.Hour)}
	failedOnce := store.Failure{Attempts: 1, Error: "it broke", First: anyTime}
	failedAgain := store.Failure{Attempts: 2, Error: "it broke", First: earlier.First, Since: earlier.Since}
	lastAttempt := store.Failure{Attempts: 2, Error: "it broke before"}
	fails := outcome{verdict: failed, err: broken}
	holds := outcome{verdict: held, err: broken}
	paused := route.Delivery{Paused: true, Retry: someRules.Retry}
	for name, c := range map[string]struct {
		rules  *route.Delivery // nil: someRules
		before store.Failure
		age    time.Duration
		doubt  time.Duration
		ending bool
		result outcome
		want   decision
	}{
		"delivered":             {result: outcome{verdict: delivered}, want: decision{action: finish, failure: store.Failure{Attempts: 1}}},
		"delivered at last":     {age: 3 * time.Hour, before: lastAttempt, result: outcome{verdict: delivered}, want: decision{action: finish, failure: store.Failure{Attempts: 3, Error: "it broke before"}}},
		"delivered at the end":  {ending: true, result: outcome{verdict: delivered}, want: decision{action: finish, failure: store.Failure{Attempts: 1}}},
		"failed":                {result: fails, want: decision{action: retry, failure: failedOnce, at: anyTime}},
		"failed again":          {before: earlier, result: fails, want: decision{action: retry, failure: failedAgain, at: anyTime}},
		"failed at the end":     {ending: true, result: fails, want: decision{action: retry, failure: failedOnce, at: anyTime}},
		"asked for time":        {result: outcome{verdict: failed, err: broken, retryAfter: 10 * time.Second}, want: decision{action: retry, failure: failedOnce, at: anyTime.Add(10 * time.Second)}},
		"asked for too much":    {result: outcome{verdict: failed, err: broken, retryAfter: time.Hour}, want: decision{action: retry, failure: failedOnce, at: anyTime.Add(time.Minute)}},
		"refused":               {result: outcome{verdict: refused, err: broken}, want: decision{action: deadLetter, failure: failedOnce}},
		"out of attempts":       {before: lastAttempt, result: fails, want: decision{action: deadLetter, failure: store.Failure{Attempts: 3, Error: "it broke", First: anyTime}}},
		"too old":               {age: 3 * time.Hour, result: fails, want: decision{action: deadLetter, failure: failedOnce}},
		"too old by then":       {age: 2*time.Hour - time.Second, result: outcome{verdict: failed, err: broken, retryAfter: 10 * time.Second}, want: decision{action: deadLetter, failure: failedOnce}},
		"too old, perhaps":      {age: 3 * time.Hour, doubt: 2 * time.Hour, result: fails, want: decision{action: retry, failure: failedOnce, at: anyTime}},
		"held, perhaps too old": {age: 3 * time.Hour, doubt: 2 * time.Hour, result: holds, want: decision{action: hold}},
		"held":                  {before: earlier, result: holds, want: decision{action: hold, failure: earlier}},
		"held, too old":         {age: 3 * time.Hour, result: holds, want: decision{action: deadLetter, failure: store.Failure{Error: "it broke"}}},
		"held by a pause":       {rules: &paused, age: 300 * time.Hour, result: holds, want: decision{action: hold}},
		"held, no route":        {rules: &route.Delivery{}, age: orphanAge, result: holds, want: decision{action: hold}},
		"held, no route, old":   {rules: &route.Delivery{}, age: orphanAge + 1, result: holds, want: decision{action: deadLetter, failure: store.Failure{Error: "it broke"}}},
		"held at the end":       {before: earlier, ending: true, result: holds, want: decision{action: release, failure: earlier}},
		"not begun":             {before: earlier, ending: true, result: outcome{verdict: notBegun}, want: decision{action: release, failure: earlier}},
		"not begun, but is old": {age: 300 * time.Hour, ending: true, result: outcome{verdict: notBegun}, want: decision{action: release}},
	} {
		t.Run(name, func(t *testing.T) {
			rules := c.rules
			if rules == nil {
				rules = &someRules
			}
			s := situation{rules: rules, failure: c.before, since: anyTime.Add(-c.age), now: anyTime, doubt: c.doubt, ending: c.ending}
			if diff := cmp.Diff(c.want, decide(s, c.result, none), cmp.AllowUnexported(decision{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever happens, a delivery is done, is a dead letter for a reason, or is in the log
// for another attempt that is not too far away.
func TestEveryDecisionKeepsThePromises(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[action]int{}
	for range 100_000 {
		s, result := randomSituation(random), randomOutcome(random)
		d := decide(s, result, random.Int64N)
		seen[d.action]++
		if broken := brokenPromise(s, result, d); broken != "" {
			t.Fatalf("%s: of %+v with the rules %+v and the outcome %+v came %+v", broken, s, *s.rules, result, d)
		}
	}
	for a := finish; a <= release; a++ {
		if seen[a] < 1000 {
			t.Errorf("action %d was decided %d times: the test tests little", a, seen[a])
		}
	}
}

func randomSituation(random *rand.Rand) situation {
	within := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	shortest := 1 + within(time.Minute)
	s := situation{
		rules: &route.Delivery{Paused: random.IntN(4) == 0, Retry: route.Retry{
			MaxAttempts: 1 + random.IntN(20), MinBackoff: route.Duration(shortest), MaxBackoff: route.Duration(shortest + within(time.Hour)),
			MaxAge: route.Duration(within(48 * time.Hour)),
		}},
		failure: store.Failure{Attempts: random.IntN(20)},
		since:   anyTime.Add(-within(96 * time.Hour)), now: anyTime, ending: random.IntN(4) == 0,
	}
	if random.IntN(2) == 0 {
		s.rules.ResumedTime = anyTime.Add(-within(96 * time.Hour))
	}
	if s.failure.Attempts > 0 {
		s.failure.First = s.since
	}
	return s
}

func randomOutcome(random *rand.Rand) outcome {
	result := outcome{verdict: verdict(random.IntN(int(notBegun) + 1)), retryAfter: time.Duration(random.Int64N(int64(2 * time.Hour)))}
	if result.verdict != delivered {
		result.err = errors.New("it broke")
	}
	return result
}

// brokenPromise says which promise a decision breaks; "": none.
func brokenPromise(s situation, result outcome, d decision) string {
	made := result.verdict == delivered || result.verdict == failed || result.verdict == refused
	mayAge := !s.rules.Paused && s.now.Sub(s.rules.ResumedTime) > ageLimit(s.rules)
	wait := d.at.Sub(s.now)
	switch {
	case d.action < finish || d.action > release:
		return "that is no action"
	case (d.action == finish) != (result.verdict == delivered):
		return "it is done if the target has it, and only then"
	case result.verdict == refused && d.action != deadLetter:
		return "a refused one is tried again"
	case made && d.failure.Attempts != s.failure.Attempts+1:
		return "an attempt was not counted"
	case !made && d.failure.Attempts != s.failure.Attempts:
		return "an attempt was counted that was not made"
	case d.action == retry && !made, (d.action == hold || d.action == release) && made:
		return "an attempt was lost"
	case d.action == retry && (wait < 0 || wait > time.Duration(s.rules.Retry.MaxBackoff)):
		return "the retry is not within the longest backoff"
	case d.action == retry && d.failure.Attempts >= s.rules.Retry.MaxAttempts:
		return "it is tried too often"
	case d.action == deadLetter && d.failure.Error == "":
		return "it is a dead letter for no reason"
	case d.action == deadLetter && !made && !mayAge:
		return "what waited through a pause is too old"
	case d.action == hold && s.ending:
		return "it is held by a receiver that ends"
	case !d.failure.First.Equal(s.failure.First) && !s.failure.First.IsZero():
		return "it is forgotten when the first attempt failed"
	}
	return ""
}
