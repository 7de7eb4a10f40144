package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
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
	// crowdedWait is how long a delivery is put off whose lane is full.
	crowdedWait = 2 * time.Second
	// maxClaimBackoff bounds the pause while the log is away.
	maxClaimBackoff = 5 * time.Second
	// statsInterval is the time between two counts of what is stored.
	statsInterval = 5 * time.Second
)

// Run takes deliveries that are due until ctx ends: retries, and what a receiver
// left that died. No error ends it.
func (d *Dispatcher) Run(ctx context.Context) {
	go d.count(ctx)
	failures := 0
	for {
		next, err := d.claim(ctx)
		if err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			d.metrics.redisErrors.Inc()
			if failures == 1 {
				d.o.Log.Error("could not look for deliveries that are due; going on", "error", err)
			}
			next = min(maxSleep<<min(failures-1, 8), maxClaimBackoff)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		case <-d.wake:
		}
	}
}

// claim takes what there is room for and returns how long to sleep.
func (d *Dispatcher) claim(ctx context.Context) (time.Duration, error) {
	jobs, bytes := d.room()
	if jobs < claimBatch || bytes <= 0 {
		return minSleep, nil
	}
	claimed, err := d.o.Store.Claim(ctx, store.ClaimOptions{Max: claimBatch, MaxBytes: bytes, Lease: d.o.Lease})
	for _, delivery := range claimed.Deliveries {
		j := &job{event: delivery.Event, lease: delivery.Lease, failure: delivery.Failure, size: sizeOf(delivery.Event)}
		if !d.enqueue(j) {
			d.putAside(ctx, j)
		}
	}
	if claimed.Unreadable > 0 {
		d.o.Log.Error("stored deliveries can't be read by this version; they are kept", "count", claimed.Unreadable)
	}
	if err != nil {
		return 0, err
	}
	if claimed.Next.IsZero() {
		return maxSleep, nil
	}
	return min(max(claimed.Next.Sub(d.o.Store.Now()), minSleep), maxSleep), nil
}

// putAside gives a delivery back whose lane is full, with some jitter, so that
// the loop sees others meanwhile.
func (d *Dispatcher) putAside(ctx context.Context, j *job) {
	wait := crowdedWait/2 + rand.N(crowdedWait) //nolint:gosec // jitter needs no secrecy
	if err := d.o.Store.Postpone(ctx, j.lease, d.o.Store.Now().Add(wait)); err != nil {
		d.lost(err, "put a delivery aside", j)
	}
}

// wakeUp has the claim loop look again.
func (d *Dispatcher) wakeUp() {
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

func sha256Hex(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
