package deliver

import (
	"context"
	"math/rand/v2"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// crowdedWait is how long a delivery is put off for which there is no room.
	crowdedWait = 2 * time.Second
	// maxOverflow bounds the leases that wait to be given back; they hold no
	// bodies.
	maxOverflow = 16384
	// overflowWriters write side by side, so that their writes are grouped.
	overflowWriters = 8
)

// overflow gives deliveries back for which there is no room, in the background:
// neither the handler nor the claim loop waits for it. A lease that finds no
// place here either ends by itself; nothing is lost.
type overflow struct {
	leases chan store.Lease
}

func newOverflow() overflow { return overflow{make(chan store.Lease, maxOverflow)} }

// add hands a lease over; false: not even for that there is room.
func (o overflow) add(l store.Lease) bool {
	select {
	case o.leases <- l:
		return true
	default:
		return false
	}
}

// giveBack puts overflowing deliveries off until ctx ends: with jitter, so that
// the claim loop sees others meanwhile, or at once if this receiver ends.
func (d *Dispatcher) giveBack(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-d.overflow.leases:
			wait := crowdedWait/2 + rand.N(crowdedWait) //nolint:gosec // jitter needs no secrecy
			if d.isDraining() {
				wait = 0
			}
			if err := d.o.Store.Postpone(ctx, l, d.o.Store.Now().Add(wait)); err != nil {
				d.metrics.lost(err)
			}
		}
	}
}

// overflowing takes the leases that giveBack has not reached.
func (d *Dispatcher) overflowing() []store.Lease {
	var left []store.Lease
	for {
		select {
		case l := <-d.overflow.leases:
			left = append(left, l)
		default:
			return left
		}
	}
}
