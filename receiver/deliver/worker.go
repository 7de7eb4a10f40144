package deliver

import (
	"context"
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// leaseMargin is how much longer than an attempt its lease must last: for writing
// the outcome.
const leaseMargin = 5 * time.Second

// workers make the attempts: for each lane as many as its target may get at a time.
type workers struct {
	*core
	holder     *holder
	transports transports
	// ctx ends attempts: it is cancelled when a shutdown runs out of time.
	ctx context.Context
}

// take queues a job, or passes it to the holder if there is no room or the target takes
// nothing now.
func (w *workers) take(j *job) {
	ok, worker := w.targets.put(j, w.Store.Now())
	if worker {
		go w.work(j.target())
	}
	if !ok {
		w.holder.put(j)
	}
}

// takeAll takes what came from the log.
func (w *workers) takeAll(got store.Claimed, from origin) {
	for _, d := range got.Deliveries {
		j := newJob(d.Event, d.Lease, from)
		j.failure = d.Failure
		w.take(j)
	}
	if got.Unreadable > 0 {
		w.Logger.Error("stored deliveries can't be read by this version; they are kept", "count", got.Unreadable)
	}
}

// work runs the jobs of a lane until there is none left.
func (w *workers) work(id targetID) {
	for j := w.targets.next(id); j != nil; j = w.targets.next(id) {
		w.run(j)
		if room := w.targets.done(j); room {
			w.room.now()
		}
	}
}

// run is the way of one delivery from its lane to the log.
func (w *workers) run(j *job) {
	r, result, ok := w.try(j)
	if !ok {
		return
	}
	w.learn(j, result)
	s := situation{rules: &r.Delivery, failure: j.failure, since: j.since(), now: w.Store.Now(), doubt: max(0, w.Store.Now().Sub(w.Store.CertainNow())), ending: w.ending.Err() != nil}
	d := decide(s, result, random)
	j.failure = d.failure
	written := w.commit(j, d)
	w.report(j, r, d, result, written)
}

// try makes one attempt, if the target can be reached at all. ok is false if the lease
// is lost, or could not be renewed.
func (w *workers) try(j *job) (r route.Route, result outcome, ok bool) {
	id := j.target()
	waited, ending := w.awaitTurn(id)
	if ending {
		return r, outcome{verdict: notBegun, silent: true}, true
	}
	r, reason := w.routeTo(id, w.Store.Now())
	if reason != "" {
		return r, outcome{verdict: held, noRoute: true, err: errors.New(reason)}, true
	}
	if reason := w.targets.openBecause(id); reason != "" && (j.from == expired || waited && j.probe == noProbe) {
		return r, outcome{verdict: held, silent: true, err: errors.New(reason)}, true
	}
	if !w.keepLease(j, time.Duration(r.Delivery.Timeout)+leaseMargin) {
		return r, outcome{}, false
	}
	return r, w.attempt(w.ctx, &r, j.event, j.number(), discard), true
}

// awaitTurn waits until the rate limit of a target lets one more attempt through.
// It reports whether that took its time, and whether the receiver ends instead.
func (w *workers) awaitTurn(id targetID) (waited, ending bool) {
	r, _ := w.Routes.Route(id.endpoint)
	if r.Delivery.RateLimit == nil {
		return false, false
	}
	bucket := w.targets.bucket(id, *r.Delivery.RateLimit)
	if bucket.Allow() {
		return false, false
	}
	return true, bucket.Wait(w.ending) != nil
}

// keepLease renews a lease that might end before so much time has passed. It reports
// whether the delivery is still ours.
func (w *workers) keepLease(j *job, need time.Duration) bool {
	if j.lease.Until.Sub(w.Store.Now()) >= need {
		return true
	}
	renewed, err := w.Store.Renew(w.ctx, j.lease, max(need, w.Lease))
	if err != nil {
		w.lost(err, "renew a lease", j)
		return false
	}
	j.lease = renewed
	return true
}
