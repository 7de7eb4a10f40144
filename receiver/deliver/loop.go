package deliver

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// maxSleep is how late a delivery may be noticed that another receiver gave
	// back; what this one knows of is noticed at its time.
	maxSleep = time.Second
	// minSleep keeps a full queue from being asked for room all the time.
	minSleep = 20 * time.Millisecond
	// maxBackoff bounds the sleep of most loops while the log is away.
	maxBackoff = 5 * time.Second
)

// loop does one thing again and again in the background.
type loop struct {
	*core
	doing string // for the log
	// do does it once and says how long to sleep: after an error longer, up to longest.
	do      func(context.Context) (time.Duration, error)
	longest time.Duration
	wake    *alarm        // ends the sleep; nil: nothing does
	rest    time.Duration // before it goes on after that, so that Redis has time for others
}

// run goes on until ctx ends. No error ends it. It logs the first error of a row;
// the metric counts them all.
func (l loop) run(ctx context.Context) {
	failures := 0
	var ring chan struct{} // nil: never
	if l.wake != nil {
		ring = l.wake.ring
	}
	for {
		wait, err := l.do(ctx)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			failures++
			l.metrics.redisErrors.Inc()
			if failures == 1 {
				l.Logger.Error("an operation on redis failed; it is tried again", "operation", l.doing, "error", err)
			}
			if !errors.Is(err, store.ErrPartly) { // others are served as ever
				wait = min(wait<<min(failures-1, 8), l.longest)
			}
		}
		if l.wake != nil {
			l.wake.sleepsUntil.Store(l.Store.Now().Add(wait).UnixNano())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			continue
		case <-ring:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(l.rest):
		}
	}
}

// alarm wakes a loop up.
type alarm struct {
	ring        chan struct{}
	sleepsUntil atomic.Int64 // when the loop wakes up by itself, in ns
}

func newAlarm() *alarm { return &alarm{ring: make(chan struct{}, 1)} }

// now wakes the loop up at once, without waiting for it.
func (a *alarm) now() {
	select {
	case a.ring <- struct{}{}:
	default:
	}
}

// by wakes the loop up if it would sleep beyond a time.
func (a *alarm) by(at time.Time) {
	if at.UnixNano() < a.sleepsUntil.Load() {
		a.now()
	}
}
