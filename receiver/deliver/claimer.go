package deliver

import (
	"context"
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// claimBatch is how many deliveries are taken at once: few enough to be attempted
// within the lease, many enough to work off what is due.
const claimBatch = 128

// claimBytes is how much of stored events is taken at once: so little that it arrives
// within the lease over a slow link, and that Redis has the memory to send it.
const claimBytes = 16 << 20

// claimer takes deliveries that are due: retries, and what a receiver left that
// died.
type claimer struct {
	*core
	workers *workers
}

func (c claimer) loop() loop {
	return loop{core: c.core, doing: "look for deliveries that are due", do: c.claim, longest: maxBackoff, wake: c.due}
}

// claim takes what there is room for and returns how long to sleep.
func (c claimer) claim(ctx context.Context) (time.Duration, error) {
	jobs, bytes := c.targets.room()
	if jobs <= 0 || bytes <= 0 {
		return minSleep, nil
	}
	got, err := c.Store.Claim(ctx, store.ClaimOptions{Max: min(jobs, claimBatch), MaxBytes: min(bytes, claimBytes), Lease: c.Lease, Blocked: c.targets.blocked()})
	c.workers.takeAll(got, claimed)
	c.metrics.held.Add(float64(got.Held))
	if err != nil && !errors.Is(err, store.ErrPartly) || got.Next.IsZero() {
		return maxSleep, err
	}
	return min(max(got.Next.Sub(c.Store.Now()), minSleep), maxSleep), err
}
