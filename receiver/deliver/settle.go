package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

const (
	// leaseMargin is how much longer than an attempt its lease must last: for
	// writing the outcome.
	leaseMargin = 5 * time.Second
	// orphanAge is how long events are kept of an endpoint that is gone.
	orphanAge = 72 * time.Hour
	// settleBackoff and maxSettleBackoff bound the pause before an outcome is
	// written again while the log is away: until the lease ends, since before that
	// nobody else makes the delivery again.
	settleBackoff    = 200 * time.Millisecond
	maxSettleBackoff = 2 * time.Second
)

// errNotNoted is for the audit: whoever claims the delivery next makes it again.
var errNotNoted = errors.New("the target took it, but that could not be noted: it is delivered again")

// keepLease renews a lease that might end during the attempt; false: the
// delivery is somebody else's, or nobody can know.
func (d *Dispatcher) keepLease(j *job, r route.Route) bool {
	need := time.Duration(r.Delivery.Timeout) + leaseMargin
	if j.lease.Until.Sub(d.o.Store.Now()) >= need {
		return true
	}
	renewed, err := d.o.Store.Renew(d.ctx, j.lease, max(need, d.o.Lease))
	if err != nil {
		d.lost(err, "renew a lease", j)
		return false
	}
	j.lease = renewed
	return true
}

// settle writes what came of an attempt.
func (d *Dispatcher) settle(j *job, r route.Route, result outcome, started time.Time) {
	now := d.o.Store.Now()
	d.metrics.attempted(result, now.Sub(started))
	if result.verdict == held {
		if d.ctx.Err() == nil {
			d.learnHeld(j, result.err.Error(), false)
		}
		d.hold(j, r, result.err.Error())
		return
	}
	if !errors.Is(result.err, errUnsigned) { // which says nothing about the target
		d.learn(j, result)
	}
	number := j.number()
	j.failure.Attempts = number
	if result.verdict == delivered {
		if !d.write(j, "record a delivery", func(ctx context.Context) error { return d.o.Store.Delivered(ctx, j.lease) }) {
			result.err = errNotNoted
			d.record(j, r, audit.RetryScheduled, result, now.Sub(started))
			return
		}
		d.metrics.delivered(now.Sub(j.event.ReceivedAt))
		d.record(j, r, audit.Delivered, result, now.Sub(started))
		return
	}
	j.failure.Error = result.err.Error()
	if j.failure.First.IsZero() {
		j.failure.First = now
	}
	next := now.Add(d.wait(r.Delivery.Retry, number, result.retryAfter))
	if result.verdict == refused || number >= r.Delivery.Retry.MaxAttempts || tooOld(j, r, next) {
		d.bury(j, r, result, now.Sub(started))
		return
	}
	if d.write(j, "schedule a retry", func(ctx context.Context) error { return d.o.Store.Retry(ctx, j.lease, next, j.failure) }) {
		d.metrics.deliveries.WithLabelValues("retry_scheduled").Inc()
		d.record(j, r, audit.RetryScheduled, result, now.Sub(started))
		d.wakeAt(next)
	}
}

// wait is the backoff, or longer if the target asks for it, but never beyond the
// longest backoff.
func (d *Dispatcher) wait(retry route.Retry, attempts int, asked time.Duration) time.Duration {
	return max(backoff(retry, attempts, random), min(asked, time.Duration(retry.MaxBackoff)))
}

// bury makes a dead letter of a delivery. It is kept until somebody revives it.
func (d *Dispatcher) bury(j *job, r route.Route, result outcome, took time.Duration) {
	if d.write(j, "keep a dead letter", func(ctx context.Context) error { return d.o.Store.DeadLetter(ctx, j.lease, j.failure) }) {
		d.metrics.deliveries.WithLabelValues("dead_lettered").Inc()
		d.record(j, r, audit.DeadLettered, result, took)
	}
}

// hold parks a delivery that can't be attempted. It costs no attempt, but an event
// can outlive its age.
func (d *Dispatcher) hold(j *job, r route.Route, reason string) {
	if tooOld(j, r, d.o.Store.Now()) {
		j.failure.Error = reason
		d.bury(j, r, outcome{verdict: held, err: errors.New(reason)}, 0)
		return
	}
	if d.ctx.Err() != nil || d.isDraining() {
		d.release(context.WithoutCancel(d.ctx), j.lease)
		return
	}
	if d.write(j, "park a delivery", func(ctx context.Context) error { return d.o.Store.Hold(ctx, j.lease, j.event.Endpoint, j.since()) }) {
		d.metrics.deliveries.WithLabelValues("held").Inc()
		d.metrics.parked.Inc()
		d.o.Log.Debug("a delivery is held", "endpoint", j.event.Endpoint, "eventId", j.event.ID, "reason", reason)
	}
}

// tooOld says whether a delivery will have waited for its target, at a time, for
// longer than it may. A pause makes nothing older, and all that it held begins
// anew afterwards.
func tooOld(j *job, r route.Route, at time.Time) bool {
	return mayExpire(r, at) && j.age(at) > ageLimit(r)
}

// mayExpire says whether any delivery of an endpoint can be too old at a time.
func mayExpire(r route.Route, at time.Time) bool {
	return !r.Delivery.Paused && at.Sub(r.Delivery.ResumedAt) > ageLimit(r)
}

// ageLimit is for how long a delivery may wait for its target.
func ageLimit(r route.Route) time.Duration {
	if limit := time.Duration(r.Delivery.Retry.MaxAge); limit != 0 {
		return limit
	}
	return orphanAge
}

// write writes an outcome, again while the log is away, until the lease ends. It
// goes on during a shutdown: what was done has to be known.
func (d *Dispatcher) write(j *job, doing string, do func(context.Context) error) bool {
	for pause := settleBackoff; ; pause = min(2*pause, maxSettleBackoff) {
		err := do(context.WithoutCancel(d.ctx))
		if err == nil {
			return true
		}
		if errors.Is(err, store.ErrFenced) || !d.o.Store.Now().Before(j.lease.Until) {
			d.lost(err, doing, j)
			return false
		}
		d.metrics.redisErrors.Inc()
		select {
		case <-time.After(pause):
		case <-d.ctx.Done():
			d.lost(err, doing, j)
			return false
		}
	}
}

// lost lets go of a delivery: whoever holds the lease, or will claim it, goes on.
func (d *Dispatcher) lost(err error, doing string, j *job) {
	d.metrics.lost(err)
	if errors.Is(err, store.ErrFenced) {
		return
	}
	d.o.Log.Error("an operation on redis failed; the delivery is made again when its lease ends",
		"operation", doing, "endpoint", j.event.Endpoint, "eventId", j.event.ID, "error", err)
}

func (d *Dispatcher) record(j *job, r route.Route, status audit.Status, result outcome, took time.Duration) {
	record := audit.Record{
		Time:              d.o.Store.Now(),
		Endpoint:          j.event.Endpoint,
		EndpointUID:       j.event.EndpointUID,
		Provider:          j.event.Provider,
		EventID:           j.event.ID,
		EventType:         j.event.Type,
		ReceivedAt:        j.event.ReceivedAt,
		SignatureVerified: true,
		RequestID:         j.event.RequestID,
		Status:            status,
		SourceIP:          j.event.SourceIP,
		BodyBytes:         int64(len(j.event.Body)),
		BodySHA256:        j.bodySHA256(),
		Attempt:           j.failure.Attempts,
		Target:            targetName(r.Target),
		StatusCode:        result.status,
		DurationMS:        float64(took.Microseconds()) / 1000,
	}
	if result.err != nil {
		record.ErrorMessage = result.err.Error()
	}
	d.o.Audit.Record(record)
}

// bodySHA256 is in hexadecimal. It is computed once.
func (j *job) bodySHA256() string {
	if j.digest == "" {
		sum := sha256.Sum256(j.event.Body)
		j.digest = hex.EncodeToString(sum[:])
	}
	return j.digest
}
