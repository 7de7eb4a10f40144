package deliver

import (
	"context"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// drainJobs and drainBytes bound what a receiver holds of all backlogs, so
	// that they get a share beside live traffic.
	drainJobs  = 256
	drainBytes = 32 << 20
	// expireBatch is how many deliveries that are too old are taken from a backlog
	// at a time.
	expireBatch = 32
)

// drainDepth is how much of its backlog is queued for one target: enough that its
// attempts need not wait for the log.
func (d *Dispatcher) drainDepth(endpoint string) int {
	return min(2*backlogShare(d.inFlightLimit(endpoint)), d.rateDepth(endpoint))
}

// drain feeds the lanes from their backlogs until ctx ends. No error ends it.
func (d *Dispatcher) drain(ctx context.Context) {
	failures := 0
	for {
		wait := maxSleep
		if err := d.drainOnce(ctx); err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			d.loopFailed(err, "look at the backlogs", failures)
			wait = min(maxSleep<<min(failures-1, 8), maxClaimBackoff)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-d.refill:
			// So many at a time, so that Redis has time for others.
			select {
			case <-ctx.Done():
				return
			case <-time.After(minSleep):
			}
		}
	}
}

// wakeDrain has the drain loop look again. It does not wait.
func (d *Dispatcher) wakeDrain() {
	select {
	case d.refill <- struct{}{}:
	default:
	}
}

// drainOnce looks at every backlog once, at those first that have waited longest
// for their turn, and takes what its target may get.
func (d *Dispatcher) drainOnce(ctx context.Context) error {
	backlogs, err := d.o.Store.Backlogs(ctx)
	if err != nil {
		return err
	}
	present := map[laneKey]bool{}
	expiring := map[laneKey]bool{}
	var skipped []store.Backlog
	for _, b := range backlogs {
		key := laneKey{b.Target.Endpoint, b.Target.Name}
		if !present[key] {
			present[key] = true
			expiring[key] = d.expires(key)
		}
		took, err := d.drainBacklog(ctx, key, b, expiring[key])
		if err != nil {
			return err
		}
		if took == 0 && b.Crowded {
			skipped = append(skipped, b)
		}
	}
	d.tidy(present)
	d.rates.tidy()
	if len(skipped) > 0 {
		return d.o.Store.Skip(ctx, skipped)
	}
	return nil
}

// drainBacklog takes from one backlog what its target may get, and what is too old
// to wait for it, and returns how much.
func (d *Dispatcher) drainBacklog(ctx context.Context, key laneKey, b store.Backlog, expiring bool) (int, error) {
	expired, err := 0, error(nil)
	if expiring {
		expired, err = d.expire(ctx, key, b)
	}
	most, bytes := d.allowance(key)
	if most <= 0 || err != nil {
		return expired, err
	}
	claimed, err := d.o.Store.Refill(ctx, b, store.RefillOptions{Max: most, MaxBytes: bytes, Lease: d.o.Lease})
	d.takeAll(claimed, job{claimed: true, drained: true})
	return expired + len(claimed.Deliveries), err
}

// expire takes from one backlog what is too old to wait for its target.
func (d *Dispatcher) expire(ctx context.Context, key laneKey, b store.Backlog) (int, error) {
	r, _ := d.o.Routes.Route(key.endpoint)
	most, bytes := d.drainRoom(expireBatch)
	claimed, err := d.o.Store.Refill(ctx, b, store.RefillOptions{Max: most, MaxBytes: bytes, Lease: d.o.Lease,
		Before: d.o.Store.Now().Add(-ageLimit(r) - time.Millisecond)})
	d.takeAll(claimed, job{claimed: true, drained: true, expired: true})
	if len(claimed.Deliveries) >= most {
		d.expireAgain(key)
	}
	return len(claimed.Deliveries), err
}

// allowance is how much of its backlog a target may get now. A target of which
// this receiver knows nothing gets one delivery first.
func (d *Dispatcher) allowance(key laneKey) (jobs int, bytes int64) {
	depth := d.drainDepth(key.endpoint)
	now := d.o.Store.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.circuits[key]
	if c == nil {
		c = &circuit{}
		d.circuits[key] = c
	}
	c.used = now
	if !c.proven {
		depth = 1
	}
	if c.blocks(now) {
		return 0, 0
	}
	if l := d.lanes[key]; l != nil {
		depth -= l.drained
	}
	return d.drainRoomLocked(depth)
}

// drainRoom is how much of so many jobs there is room for.
func (d *Dispatcher) drainRoom(most int) (jobs int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drainRoomLocked(most)
}

func (d *Dispatcher) drainRoomLocked(most int) (jobs int, bytes int64) {
	bytes = min(drainBytes-d.drainedBytes, maxBytes+reserveBytes-d.bytes)
	if d.draining || bytes <= 0 {
		return 0, 0
	}
	return min(most, drainJobs-d.drained, maxJobs+reserveJobs-d.jobs), bytes
}

// expires says whether it is time to look for what is too old in the backlog of a
// target that takes nothing.
func (d *Dispatcher) expires(key laneKey) bool {
	now := d.o.Store.Now()
	if r, _ := d.o.Routes.Route(key.endpoint); !mayExpire(r, now) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.circuits[key]
	if c == nil || !c.open || now.Before(c.expireAt) {
		return false
	}
	c.expireAt = now.Add(expireEvery)
	return true
}

// expireAgain has the next look go on where one has found as much as it could
// take.
func (d *Dispatcher) expireAgain(key laneKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.circuits[key]; c != nil {
		c.expireAt = time.Time{}
	}
}
