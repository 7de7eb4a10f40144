package deliver

import (
	"context"
	"sync"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// releaseTime is kept of a shutdown for attempts that are cut off.
	releaseTime = 2 * time.Second
	// releasers share the leases to release, so that their writes are grouped and
	// thousands take no longer than some.
	releasers = 32
)

// release gives up the lease of a delivery that was not attempted, so that another
// receiver goes on at once.
func (c *core) release(ctx context.Context, l store.Lease) {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	if err := c.Store.Release(ctx, l); err != nil {
		c.metrics.lost(err)
	}
}

// releaseAll releases leases, side by side. It returns soon after ctx ended.
func (c *core) releaseAll(ctx context.Context, leases []store.Lease) {
	todo := make(chan store.Lease)
	var running sync.WaitGroup
	for range min(releasers, len(leases)) {
		running.Go(func() {
			for l := range todo {
				c.release(ctx, l)
			}
		})
	}
	for _, l := range leases {
		todo <- l
	}
	close(todo)
	running.Wait()
}
