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
	drained bool // claimed from a backlog
	expired bool // too old to wait for its target any longer
	probe   bool // on which the circuit of its target depends
}

// lane names the target.
func (j *job) lane() laneKey { return laneKey{j.event.Endpoint, j.lease.Target} }

// number of the attempt that comes next, from 1.
func (j *job) number() int { return j.failure.Attempts + 1 }

// since is when the age of the delivery began: with the receipt of the event, or
// when the delivery was revived.
func (j *job) since() time.Time {
	if j.failure.Since.After(j.event.ReceivedAt) {
		return j.failure.Since
	}
	return j.event.ReceivedAt
}

func (j *job) age(now time.Time) time.Duration { return now.Sub(j.since()) }

// Dispatcher delivers. It is safe for concurrent use.
type Dispatcher struct {
	o          Options
	metrics    *metrics
	transports transports
	parking    parking
	refill     chan struct{} // there may be room for what is parked
	wake       chan struct{} // something is due before the claim loop wakes up
	// sleepsUntil is when it wakes up by itself, in ns.
	sleepsUntil atomic.Int64

	// attempts end with ctx: it is cancelled when a shutdown runs out of time.
	ctx    context.Context
	cancel context.CancelFunc
	// ending ends when a shutdown begins.
	ending context.Context
	end    context.CancelFunc
	rates  rates

	mu           sync.Mutex
	lanes        map[laneKey]*lane
	circuits     map[laneKey]*circuit
	calls        map[laneKey]int // that senders wait for
	jobs         int
	bytes        int64
	drained      int            // of the jobs, those that were parked
	drainedBytes int64          // of those
	draining     bool           // this receiver ends
	running      sync.WaitGroup // workers of lanes
}

// New makes a Dispatcher. The error is about the options.
func New(o Options) (*Dispatcher, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ending, end := context.WithCancel(ctx)
	return &Dispatcher{
		o: o, metrics: newMetrics(o.Registry), transports: transports{base: o.Transport}, parking: newParking(), wake: make(chan struct{}, 1), refill: make(chan struct{}, 1),
		ctx: ctx, cancel: cancel, ending: ending, end: end, lanes: map[laneKey]*lane{}, circuits: map[laneKey]*circuit{},
	}, nil
}

// Offer takes a delivery that was just stored, and does not wait for anything.
// If there is no room, or the target takes nothing now, it is parked, and taken
// up when there is or does.
func (d *Dispatcher) Offer(event *store.Event, lease store.Lease) {
	d.take(&job{event: event, lease: lease, size: sizeOf(event)})
}

// take queues a job, or parks it.
func (d *Dispatcher) take(j *job) {
	if !d.enqueue(j) {
		d.park(j)
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
