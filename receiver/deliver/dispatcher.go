package deliver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// Bounds of what one receiver holds in memory. What doesn't fit stays in the
// log and is claimed when there is room.
const (
	maxLaneJobs = 256       // queued for one target, so that none takes all the room
	maxJobs     = 4096      // of all targets
	maxBytes    = 256 << 20 // of all bodies
)

// job is a delivery in memory. The goroutine that runs it owns it.
type job struct {
	event   *store.Event
	lease   store.Lease
	failure store.Failure
	size    int64
}

// number of the attempt that comes next, from 1.
func (j *job) number() int { return j.failure.Attempts + 1 }

// age counts from the receipt of the event, or from when the delivery was
// revived.
func (j *job) age(now time.Time) time.Duration {
	if j.failure.Since.After(j.event.ReceivedAt) {
		return now.Sub(j.failure.Since)
	}
	return now.Sub(j.event.ReceivedAt)
}

// Dispatcher delivers. It is safe for concurrent use.
type Dispatcher struct {
	o       Options
	metrics *metrics
	wake    chan struct{} // something may be due earlier than the claim loop thinks

	// attempts end with ctx: it is cancelled when a shutdown runs out of time.
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	lanes    map[laneKey]*lane
	jobs     int
	bytes    int64
	draining bool
	running  sync.WaitGroup // workers of lanes
}

// New makes a Dispatcher. The error is about the options.
func New(o Options) (*Dispatcher, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Dispatcher{
		o: o, metrics: newMetrics(o.Registry), wake: make(chan struct{}, 1),
		ctx: ctx, cancel: cancel, lanes: map[laneKey]*lane{},
	}, nil
}

// Offer takes a delivery that was just stored, and does not wait for anything.
// If there is no room, the log keeps it, and it is claimed when its lease ends.
func (d *Dispatcher) Offer(event *store.Event, lease store.Lease) {
	if !d.enqueue(&job{event: event, lease: lease, size: sizeOf(event)}) {
		d.metrics.overflows.Inc()
	}
}

func sizeOf(event *store.Event) int64 { return int64(len(event.Body)) + 4096 }

// room is how much may still be taken into memory.
func (d *Dispatcher) room() (jobs int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining {
		return 0, 0
	}
	return maxJobs - d.jobs, maxBytes - d.bytes
}

// Shutdown lets the attempts in flight end, at most until ctx does, and hands
// all other leases back, so that other receivers go on at once. Nothing is
// taken afterwards.
func (d *Dispatcher) Shutdown(ctx context.Context) error {
	left := d.close()
	for _, j := range left {
		d.release(ctx, j)
	}
	done := make(chan struct{})
	go func() {
		d.running.Wait()
		close(done)
	}()
	// What is cut off has to be handed back within the time that is left.
	soon, cancel := context.WithTimeout(ctx, d.patience(ctx))
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

// handBackTime is kept of a shutdown for attempts that are cut off.
const handBackTime = 2 * time.Second

func (d *Dispatcher) patience(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return max(0, time.Until(deadline)-handBackTime)
}

// close stops taking and returns what has not begun.
func (d *Dispatcher) close() []*job {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining = true
	var left []*job
	for _, l := range d.lanes {
		left = append(left, l.queue...)
		l.queue = nil
	}
	return left
}
