package deliver

import (
	"context"
	"sync"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// claimBatch is how many deliveries are taken at once: few enough to be
	// attempted within the lease, many enough to drain a backlog.
	claimBatch = 128
	// maxSleep is how late a delivery may be noticed that another receiver gave
	// back; what this one knows of is noticed at its time.
	maxSleep = time.Second
	// minSleep keeps a full queue from being asked for room all the time.
	minSleep = 20 * time.Millisecond
	// maxClaimBackoff bounds the pause while the log is away.
	maxClaimBackoff = 5 * time.Second
	// statsInterval is the time between two counts of what is stored.
	statsInterval = 5 * time.Second
)

// Run takes deliveries that are due until ctx ends: retries, and what a receiver
// left that died. No error ends it.
func (d *Dispatcher) Run(ctx context.Context) {
	var helpers sync.WaitGroup
	helpers.Go(func() { d.count(ctx) })
	helpers.Go(func() { d.drain(ctx) })
	helpers.Go(func() { d.retain(ctx) })
	for range parkWriters {
		helpers.Go(func() { d.writeParked(ctx) })
	}
	defer func() {
		helpers.Wait()
		d.handBack(context.WithoutCancel(ctx), d.unwritten())
	}()
	failures := 0
	for {
		wait, err := d.claim(ctx)
		if err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			d.loopFailed(err, "look for deliveries that are due", failures)
			wait = min(maxSleep<<min(failures-1, 8), maxClaimBackoff)
		}
		d.sleepsUntil.Store(d.o.Store.Now().Add(wait).UnixNano())
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-d.wake:
		}
	}
}

// loopFailed reports the first failure of a row; the metric counts them all.
func (d *Dispatcher) loopFailed(err error, doing string, failures int) {
	d.metrics.redisErrors.Inc()
	if failures == 1 {
		d.o.Log.Error("an operation on redis failed; it is tried again", "operation", doing, "error", err)
	}
}

// claim takes what there is room for and returns how long to sleep.
func (d *Dispatcher) claim(ctx context.Context) (time.Duration, error) {
	jobs, bytes := d.room()
	if jobs <= 0 || bytes <= 0 {
		return minSleep, nil
	}
	claimed, err := d.o.Store.Claim(ctx, store.ClaimOptions{
		Max: min(jobs, claimBatch), MaxBytes: bytes, Lease: d.o.Lease, Blocked: d.blocked(),
	})
	d.takeAll(claimed, job{claimed: true})
	d.metrics.parked.Add(float64(claimed.Held))
	if err != nil {
		return 0, err
	}
	if claimed.Next.IsZero() {
		return maxSleep, nil
	}
	return min(max(claimed.Next.Sub(d.o.Store.Now()), minSleep), maxSleep), nil
}

// takeAll takes what was claimed, as jobs like a given one.
func (d *Dispatcher) takeAll(claimed store.Claimed, like job) {
	for _, delivery := range claimed.Deliveries {
		j := like
		j.event, j.lease, j.failure, j.size = delivery.Event, delivery.Lease, delivery.Failure, sizeOf(delivery.Event)
		d.take(&j)
	}
	if claimed.Unreadable > 0 {
		d.o.Log.Error("stored deliveries can't be read by this version; they are kept", "count", claimed.Unreadable)
	}
}

// wakeAt has the claim loop look at a time, if it sleeps longer than that.
func (d *Dispatcher) wakeAt(at time.Time) {
	if at.UnixNano() >= d.sleepsUntil.Load() {
		return
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// count keeps the gauges of what is stored.
func (d *Dispatcher) count(ctx context.Context) {
	ticker := time.NewTicker(statsInterval)
	defer ticker.Stop()
	for {
		if stats, err := d.o.Store.Stats(ctx); err == nil {
			d.metrics.stored(stats, d.o.Store.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
