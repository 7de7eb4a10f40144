package deliver

import (
	"time"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// orphanAge is how long events are kept of an endpoint that is gone.
const orphanAge = 72 * time.Hour

// situation is what a decision depends on, beside what came of the attempt.
type situation struct {
	rules   *route.Delivery // zero: no route is served
	failure store.Failure   // what happened before
	since   time.Time       // when the age of the delivery began
	now     time.Time
	doubt   time.Duration // by how much now may be too late, see store.CertainNow
	ending  bool          // this receiver ends
}

// action is what is done with a delivery.
type action int

const (
	finish     action = iota // the target has it
	retry                    // there will be another attempt
	deadLetter               // it is given up, and kept
	hold                     // it waits in the backlog of its target, at no cost
	release                  // any receiver may have it at once, at no cost
)

// decision is what becomes of a delivery.
type decision struct {
	action  action
	failure store.Failure // what is remembered of it
	at      time.Time     // of a retry, when
}

// decide says what becomes of a delivery, by what came of its attempt. random
// returns a number in [0, n).
func decide(s situation, result outcome, random func(n int64) int64) decision {
	after := s.failure
	switch result.verdict {
	case notBegun:
		return decision{action: release, failure: after}
	case held:
		return s.decideHeld(result)
	}
	after.Attempts++
	if result.verdict == delivered {
		return decision{action: finish, failure: after}
	}
	after.Error = result.err.Error()
	if after.First.IsZero() {
		after.First = s.now
	}
	next := s.now.Add(retryWait(s.rules.Retry, after.Attempts, result.retryAfter, random))
	if result.verdict == refused || after.Attempts >= s.rules.Retry.MaxAttempts || s.tooOld(next) {
		return decision{action: deadLetter, failure: after}
	}
	return decision{action: retry, failure: after, at: next}
}

// decideHeld decides about a delivery that can't be attempted. That costs no
// attempt, but a delivery can outlive its age.
func (s situation) decideHeld(result outcome) decision {
	after := s.failure
	switch {
	case s.tooOld(s.now):
		after.Error = result.err.Error()
		return decision{action: deadLetter, failure: after}
	case s.ending:
		return decision{action: release, failure: after}
	}
	return decision{action: hold, failure: after}
}

// retryWait is the backoff, or longer if the target asks for it, but never beyond
// the longest backoff.
func retryWait(rules route.Retry, attempts int, asked time.Duration, random func(n int64) int64) time.Duration {
	return max(backoff(rules, attempts, random), min(asked, time.Duration(rules.MaxBackoff)))
}

// tooOld reports whether a delivery will have waited for its target, at a time, for
// longer than it may. A pause makes nothing older, and all that it held begins
// anew afterwards.
func (s situation) tooOld(at time.Time) bool {
	at = at.Add(-s.doubt)
	return mayExpire(s.rules, at) && at.Sub(s.since) > ageLimit(s.rules)
}

// mayExpire reports whether any delivery of an endpoint can be too old at a time.
func mayExpire(rules *route.Delivery, at time.Time) bool {
	return !rules.Paused && at.Sub(rules.ResumedTime) > ageLimit(rules)
}

// ageLimit is for how long a delivery may wait for its target.
func ageLimit(rules *route.Delivery) time.Duration {
	if limit := time.Duration(rules.Retry.MaxAge); limit != 0 {
		return limit
	}
	return orphanAge
}
