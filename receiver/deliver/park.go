package deliver

import (
	"context"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// maxParking bounds the deliveries that wait to be written to their backlogs;
	// they hold no bodies.
	maxParking = 16384
	// parkWriters write side by side, so that their writes are grouped.
	parkWriters = 64
)

// parking moves deliveries to the backlogs of their targets, in the background:
// neither the handler nor the claim loop waits for it. A lease that finds no
// place here either ends by itself; nothing is lost.
type parking struct {
	jobs chan parkedJob
}

// parkedJob is what is needed of a job to park it.
type parkedJob struct {
	lease    store.Lease
	endpoint string
	since    int64 // Unix time, ms
}

func newParking() parking { return parking{make(chan parkedJob, maxParking)} }

// park hands a job over to be parked, and does not wait.
func (d *Dispatcher) park(j *job) {
	select {
	case d.parking.jobs <- parkedJob{j.lease, j.event.Endpoint, j.since().UnixMilli()}:
		d.metrics.parked.Inc()
	default:
		d.o.Log.Debug("too many deliveries to park; this one is claimed when its lease ends",
			"endpoint", j.event.Endpoint, "eventId", j.event.ID)
	}
}

// writeParked parks deliveries until ctx ends, or hands them back at once if this
// receiver ends.
func (d *Dispatcher) writeParked(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-d.parking.jobs:
			if d.isDraining() {
				d.release(context.WithoutCancel(ctx), p.lease)
				continue
			}
			if err := d.o.Store.Hold(ctx, p.lease, p.endpoint, time.UnixMilli(p.since)); err != nil {
				d.metrics.lost(err)
			}
		}
	}
}

// unwritten takes the leases that writeParked has not reached.
func (d *Dispatcher) unwritten() []store.Lease {
	var left []store.Lease
	for {
		select {
		case p := <-d.parking.jobs:
			left = append(left, p.lease)
		default:
			return left
		}
	}
}
