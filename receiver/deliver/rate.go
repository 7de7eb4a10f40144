package deliver

import (
	"context"
	"math"
	"sync"

	"golang.org/x/time/rate"

	"sallyport.dev/sallyport/receiver/route"
)

// rateQueue is how many seconds of deliveries a lane with a rate limit holds, of
// live ones and as much again of those that were parked. More would wait in
// memory for longer than their leases last; so it waits in the backlog.
const rateQueue = 5

// rates are the token buckets of targets with a rate limit. It is safe for
// concurrent use.
type rates struct {
	mu sync.Mutex
	of map[laneKey]*rate.Limiter
}

// bucket is that of a target. A changed limit keeps what is in it.
func (r *rates) bucket(key laneKey, limit route.RateLimit) *rate.Limiter {
	perSecond := rate.Limit(limit.PerSecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.of[key]
	if b == nil {
		b = rate.NewLimiter(perSecond, limit.Burst)
		if r.of == nil {
			r.of = map[laneKey]*rate.Limiter{}
		}
		r.of[key] = b
	}
	if b.Limit() != perSecond || b.Burst() != limit.Burst {
		b.SetLimit(perSecond)
		b.SetBurst(limit.Burst)
	}
	return b
}

// tidy forgets the buckets that are full, for they are like new ones.
func (r *rates) tidy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, b := range r.of {
		if b.Tokens() >= float64(b.Burst()) {
			delete(r.of, key)
		}
	}
}

// awaitTurn waits until the rate limit of a target lets one more attempt through.
// It reports whether that took its time, and whether the receiver ends instead.
func (d *Dispatcher) awaitTurn(key laneKey) (waited, ending bool) {
	r, _ := d.o.Routes.Route(key.endpoint)
	if r.Delivery.RateLimit == nil {
		return false, false
	}
	bucket := d.rates.bucket(key, *r.Delivery.RateLimit)
	if bucket.Allow() {
		return false, false
	}
	return true, bucket.Wait(d.ending) != nil
}

// rateDepth is how many deliveries a lane of an endpoint may hold for its rate.
func (d *Dispatcher) rateDepth(endpoint string) int {
	r, _ := d.o.Routes.Route(endpoint)
	if r.Delivery.RateLimit == nil {
		return math.MaxInt
	}
	return rateQueue * r.Delivery.RateLimit.PerSecond
}

// giveBack releases a delivery whose turn did not come before the receiver ends.
func (d *Dispatcher) giveBack(j *job) { d.release(context.WithoutCancel(d.ctx), j.lease) }
