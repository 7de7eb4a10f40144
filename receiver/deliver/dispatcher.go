package deliver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// core is what all parts of a Dispatcher share.
type core struct {
	Options
	metrics *metrics
	targets *targets
	due     *alarm          // for the claimer: something is due before it wakes up
	room    *alarm          // for the refiller: there may be room for what is held
	ending  context.Context // ends when a shutdown begins
}

// Dispatcher delivers. It is safe for concurrent use.
type Dispatcher struct {
	core     *core
	holder   *holder
	workers  *workers
	claimer  claimer
	refiller refiller
	retainer retainer
	end      context.CancelFunc // of ending
	cancel   context.CancelFunc // of attempts
}

// New makes a Dispatcher. The error is about the options.
func New(o Options) (*Dispatcher, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ending, end := context.WithCancel(ctx)
	c := &core{Options: o, metrics: newMetrics(o.Registry), due: newAlarm(), room: newAlarm(), ending: ending}
	c.targets = newTargets(c.boundsOf)
	h := newHolder(c)
	w := &workers{core: c, holder: h, transports: transports{base: o.Transport}, ctx: ctx}
	return &Dispatcher{
		core: c, holder: h, workers: w, claimer: claimer{c, w}, refiller: refiller{c, w}, retainer: retainer{c}, end: end, cancel: cancel,
	}, nil
}

// Offer takes a delivery that was just stored, and does not wait for anything.
// If there is no room, or the target takes nothing now, it is held, and taken up
// when there is or does.
func (d *Dispatcher) Offer(event *store.Event, lease store.Lease) {
	d.workers.take(newJob(event, lease, offered))
}

// Call hands an event to the target of its endpoint, once, and returns the answer
// if it is a 2xx. With an error, the Answer holds Target, and Status if there was
// one. It keeps to the route's timeout, and ends early when a shutdown runs out of
// time.
func (d *Dispatcher) Call(ctx context.Context, event *store.Event) (Answer, error) {
	return d.workers.call(ctx, event)
}

// Run takes what is due and what is held, until ctx ends: retries, and what a
// receiver left that died. No error ends it.
func (d *Dispatcher) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, l := range []loop{d.claimer.loop(), d.refiller.loop(), d.retainer.loop(), (&counter{core: d.core}).loop(), newGauge(d.core).loop()} {
		running.Go(func() { l.run(ctx) })
	}
	for range holders {
		running.Go(func() { d.holder.run(ctx) })
	}
	running.Wait()
	d.core.releaseAll(context.WithoutCancel(ctx), d.holder.rest())
}

// Shutdown lets the attempts in flight end, at most until ctx does, and releases all
// other leases, so that other receivers go on at once. Nothing is taken afterwards.
func (d *Dispatcher) Shutdown(ctx context.Context) error {
	d.end()
	left := d.holder.rest()
	for _, j := range d.core.targets.close() {
		left = append(left, j.lease)
	}
	d.core.releaseAll(ctx, left)
	done := make(chan struct{})
	go func() {
		d.core.targets.workers.Wait()
		close(done)
	}()
	// What is cut off has to be released within the time that is left.
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

// patience is how long attempts may take, of the time that a shutdown has.
func patience(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return max(0, time.Until(deadline)-releaseTime)
}
