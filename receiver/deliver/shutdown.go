package deliver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// handBackTime is kept of a shutdown for attempts that are cut off.
	handBackTime = 2 * time.Second
	// handBackCallers share the leases to hand back, so that their writes are
	// grouped and thousands take no longer than some.
	handBackCallers = 32
)

// Shutdown lets the attempts in flight end, at most until ctx does, and hands
// all other leases back, so that other receivers go on at once. Nothing is
// taken afterwards.
func (d *Dispatcher) Shutdown(ctx context.Context) error {
	d.handBack(ctx, d.close())
	done := make(chan struct{})
	go func() {
		d.running.Wait()
		close(done)
	}()
	// What is cut off has to be handed back within the time that is left.
	soon, cancel := context.WithTimeout(ctx, patience(ctx))
	defer cancel()
	select {
	case <-done:
	case <-soon.Done():
		d.cancel()
	}
	select {
	case <-done:
		d.cancel()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("deliveries did not end in time; their leases end by themselves: %w", ctx.Err())
	}
}

func patience(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return max(0, time.Until(deadline)-handBackTime)
}

// close stops taking and returns the leases of what has not begun.
func (d *Dispatcher) close() []store.Lease {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining = true
	d.end()
	left := d.unwritten()
	for _, l := range d.lanes {
		for _, j := range l.clear() {
			left = append(left, j.lease)
		}
	}
	return left
}

func (d *Dispatcher) isDraining() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.draining
}

// handBack releases leases, side by side. It returns soon after ctx ended.
func (d *Dispatcher) handBack(ctx context.Context, leases []store.Lease) {
	todo := make(chan store.Lease)
	var callers sync.WaitGroup
	for range min(handBackCallers, len(leases)) {
		callers.Go(func() {
			for l := range todo {
				d.release(ctx, l)
			}
		})
	}
	for _, l := range leases {
		todo <- l
	}
	close(todo)
	callers.Wait()
}

// release hands a delivery back that was not attempted.
func (d *Dispatcher) release(ctx context.Context, l store.Lease) {
	ctx, cancel := context.WithTimeout(ctx, handBackTime)
	defer cancel()
	if err := d.o.Store.Release(ctx, l); err != nil {
		d.metrics.lost(err)
	}
}
