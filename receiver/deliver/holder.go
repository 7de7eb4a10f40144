package deliver

import (
	"context"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// maxHolding bounds the deliveries that wait to be written to their backlogs;
	// without their bodies.
	maxHolding = 16384
	// holders write side by side, so that their writes are grouped.
	holders = 64
)

// holder moves deliveries to the backlogs of their targets, in the background:
// neither the handler nor a loop waits for it. A lease that finds no place here
// either ends by itself; nothing is lost.
type holder struct {
	*core
	queue chan holding
}

// holding is what is needed of a job to hold it.
type holding struct {
	lease    store.Lease
	endpoint string
	since    int64 // Unix time, ms
}

func newHolder(c *core) *holder { return &holder{core: c, queue: make(chan holding, maxHolding)} }

// put takes a job that can't be delivered now, and does not wait.
func (h *holder) put(j *job) {
	select {
	case h.queue <- holding{j.lease, j.event.Endpoint, j.since().UnixMilli()}:
		h.metrics.held.Inc()
	default:
		h.Logger.Debug("too many deliveries are to be held; this one is claimed when its lease ends",
			"endpoint", j.event.Endpoint, "eventId", j.event.ID)
	}
}

// run holds deliveries until ctx ends, or releases them if this receiver ends.
func (h *holder) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-h.queue:
			if h.ending.Err() != nil {
				h.release(context.WithoutCancel(ctx), one.lease)
				continue
			}
			if err := h.Store.Hold(ctx, one.lease, one.endpoint, time.UnixMilli(one.since)); err != nil {
				h.metrics.lost(err)
			}
		}
	}
}

// rest takes the leases that run has not reached.
func (h *holder) rest() []store.Lease {
	var left []store.Lease
	for {
		select {
		case one := <-h.queue:
			left = append(left, one.lease)
		default:
			return left
		}
	}
}
