package deliver

import (
	"golang.org/x/time/rate"

	"sallyport.dev/sallyport/receiver/route"
)

// rateQueue is how many seconds of deliveries a lane with a rate limit holds, of
// live ones and as much again of those from its backlog. More would wait in
// memory for longer than their leases last; so it waits in the backlog.
const rateQueue = 5

// buckets are the token buckets of targets with a rate limit. targets.mu guards
// them; each bucket is safe for concurrent use.
type buckets map[targetID]*rate.Limiter

// of is the bucket of a target. A changed limit keeps what is in it.
func (b buckets) of(id targetID, limit route.RateLimit) *rate.Limiter {
	perSecond := rate.Limit(limit.PerSecond)
	bucket := b[id]
	if bucket == nil {
		bucket = rate.NewLimiter(perSecond, limit.Burst)
		b[id] = bucket
	}
	if bucket.Limit() != perSecond || bucket.Burst() != limit.Burst {
		bucket.SetLimit(perSecond)
		bucket.SetBurst(limit.Burst)
	}
	return bucket
}

// prune drops the buckets that are full, for they are like new ones.
func (b buckets) prune() {
	for id, bucket := range b {
		if bucket.Tokens() >= float64(bucket.Burst()) {
			delete(b, id)
		}
	}
}

// bucket is that of a target with a rate limit.
func (t *targets) bucket(id targetID, limit route.RateLimit) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buckets.of(id, limit)
}
