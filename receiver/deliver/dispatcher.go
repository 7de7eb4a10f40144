package deliver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// Bounds of what one receiver holds in memory. What doesn't fit stays in the
// log and is claimed when there is room.
const (
	maxJobs  = 4096      // of all targets
	maxBytes = 256 << 20 // of all bodies

	// The reserve comes on top, for lanes that hold nothing.
	reserveJobs  = 1024
	reserveBytes = 64 << 20
)

// job is a delivery in memory. The goroutine that runs it owns it.
type job struct {
	event   *store.Event
	lease   store.Lease
	failure store.Failure
	size    int64
	claimed bool // from the log, not offered by the handler
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
	o        Options
	metrics  *metrics
	overflow overflow
	wake     chan struct{} // something is due before the claim loop wakes up
	// sleepsUntil is when it wakes up by itself, in ns.
	sleepsUntil atomic.Int64

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
		o: o, metrics: newMetrics(o.Registry), overflow: newOverflow(), wake: make(chan struct{}, 1),
		ctx: ctx, cancel: cancel, lanes: map[laneKey]*lane{},
	}, nil
}

// Offer takes a delivery that was just stored, and does not wait for anything.
// If there is no room, it is given back to the log, and claimed when there is.
func (d *Dispatcher) Offer(event *store.Event, lease store.Lease) {
	d.take(&job{event: event, lease: lease, size: sizeOf(event)})
}

// take queues a job, or gives it back where there is no room for it.
func (d *Dispatcher) take(j *job) {
	if d.enqueue(j) {
		return
	}
	d.metrics.overflows.Inc()
	if !d.overflow.add(j.lease) {
		d.o.Log.Warn("too many deliveries to give back; this one is claimed when its lease ends",
			"endpoint", j.event.Endpoint, "eventId", j.event.ID)
	}
}

// sizeOf estimates what an event takes in memory.
func sizeOf(event *store.Event) int64 { return int64(len(event.Body)) + 4096 }

// room is how much may still be taken into memory.
func (d *Dispatcher) room() (jobs int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining {
		return 0, 0
	}
	return maxJobs + reserveJobs - d.jobs, maxBytes + reserveBytes - d.bytes
}
