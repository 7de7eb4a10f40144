package deliver

import (
	"context"
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// expireBatch is how many deliveries that are too old are taken from a backlog at
// a time.
const expireBatch = 32

// refiller moves held deliveries from the backlogs into the lanes of their targets.
type refiller struct {
	*core
	workers *workers
}

func (f refiller) loop() loop {
	return loop{core: f.core, doing: "look at the backlogs", do: f.refill, longest: maxBackoff, wake: f.room, rest: minSleep}
}

// refill looks at every backlog once, at those first that have waited longest for
// their turn, and takes what its target may get. It returns how long to sleep.
func (f refiller) refill(ctx context.Context) (time.Duration, error) {
	backlogs, partly := f.Store.Backlogs(ctx)
	if partly != nil && !errors.Is(partly, store.ErrPartly) {
		return maxSleep, partly
	}
	present := map[targetID]bool{}
	expiring := map[targetID]bool{}
	var skipped []store.Backlog
	for _, b := range backlogs {
		id := targetID{b.Target.Endpoint, b.Target.Name}
		if !present[id] {
			present[id] = true
			expiring[id] = f.expires(id)
		}
		took, err := f.refillFrom(ctx, id, b, expiring[id])
		if err != nil {
			return maxSleep, err
		}
		if took == 0 && b.Crowded {
			skipped = append(skipped, b)
		}
	}
	if len(skipped) > 0 {
		if err := f.Store.Skip(ctx, skipped); err != nil {
			return maxSleep, err
		}
	}
	if partly == nil { // else there may be backlogs that were not seen
		f.prune(present)
	}
	return maxSleep, partly
}

// refillFrom takes from one backlog what its target may get, and what is too old to
// wait for it, and returns how much.
func (f refiller) refillFrom(ctx context.Context, id targetID, b store.Backlog, expiring bool) (int, error) {
	old, err := 0, error(nil)
	if expiring {
		old, err = f.expire(ctx, id, b)
	}
	most, bytes, unfailed := f.targets.refillable(id, f.Store.Now())
	if most <= 0 || err != nil {
		return old, err
	}
	got, err := f.Store.Refill(ctx, b, store.RefillOptions{Max: most, MaxBytes: bytes, Lease: f.Lease, Unfailed: unfailed})
	f.workers.takeAll(got, refilled)
	return old + len(got.Deliveries), err
}

// expires reports whether it is time to look for what is too old for a target.
func (f refiller) expires(id targetID) bool {
	now := f.Store.CertainNow()
	r, _ := f.Routes.Route(id.endpoint)
	return mayExpire(&r.Delivery, now) && f.targets.expires(id, now)
}

// expire takes from one backlog what is too old to wait for its target.
func (f refiller) expire(ctx context.Context, id targetID, b store.Backlog) (int, error) {
	r, _ := f.Routes.Route(id.endpoint)
	most, bytes := f.targets.expirable(expireBatch)
	got, err := f.Store.Refill(ctx, b, store.RefillOptions{Max: most, MaxBytes: bytes, Lease: f.Lease,
		Before: f.Store.CertainNow().Add(-ageLimit(&r.Delivery) - time.Millisecond)})
	f.workers.takeAll(got, expired)
	if len(got.Deliveries) >= most {
		f.targets.expireAgain(id)
	}
	return len(got.Deliveries), err
}

// prune forgets what is worth nothing any more. present are the targets with a
// backlog.
func (f refiller) prune(present map[targetID]bool) {
	now := f.Store.Now()
	dropped := f.targets.prune(present, now, func(id targetID) bool {
		_, reason := f.routeTo(id, now)
		return reason == ""
	})
	for _, id := range dropped {
		f.metrics.circuitOpen.DeleteLabelValues(id.endpoint, id.name)
	}
}
