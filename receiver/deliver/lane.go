package deliver

import (
	"fmt"
	"slices"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// laneKey names a target: of an endpoint, because the bounds are the endpoint's.
type laneKey struct{ endpoint, target string }

// lane is the queue of one target. Its jobs run side by side, as many as the
// target may get at a time. Dispatcher.mu guards it.
type lane struct {
	live    []*job // just accepted
	backlog []*job // from the log: retries, what others left, what was parked
	workers int
	jobs    int   // queued or running
	bytes   int64 // of those
	drained int   // of jobs, those that were parked
	running int   // of jobs from the log, those that run
	turn    int   // jobs taken since the backlog had its turn
	refused bool  // a job was parked for want of room since the lane last had some
}

const (
	// laneShare is the part of the room that is still free which one lane may
	// fill, so that each further lane that is stuck gets less.
	laneShare = 8
	// backlogTurn: one job in so many comes from the backlog while there is live
	// traffic, so that a backlog neither delays it nor waits for ever.
	backlogTurn = 4
)

// enqueue queues a job in the lane of its target; false: there is no room, or the
// target takes nothing now.
func (d *Dispatcher) enqueue(j *job) bool {
	key := j.lane()
	limit := d.inFlightLimit(key.endpoint)
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[key]
	if l == nil {
		l = &lane{}
	}
	if d.draining {
		return false
	}
	if !d.fits(l, j) {
		l.refused = true
		return false
	}
	if !d.admits(key, j) {
		return false
	}
	d.lanes[key] = l
	d.add(l, j)
	if l.workers < limit {
		l.workers++
		d.running.Add(1)
		go d.work(key, l)
	}
	return true
}

// fits says whether a lane may take one more job. An empty lane may use the
// reserve, so that a target that works gets its events even when others that are
// stuck have filled all the room. It takes a job of any size when nothing else
// is held, or a large event would never go. What was parked has a share of its
// own, so that live traffic can't keep it out for ever.
func (d *Dispatcher) fits(l *lane, j *job) bool {
	freeJobs, freeBytes := maxJobs-d.jobs, maxBytes-d.bytes
	if l.jobs == 0 || j.drained {
		return freeJobs+reserveJobs > 0 && freeBytes+reserveBytes >= j.size || d.jobs == 0
	}
	return l.jobs-l.drained < d.laneRoom(j.lane()) && l.bytes+j.size <= freeBytes/laneShare
}

// laneRoom is how many jobs a lane may hold besides those that were parked. The
// caller holds mu.
func (d *Dispatcher) laneRoom(key laneKey) int {
	return min((maxJobs-d.jobs)/laneShare, d.rateDepth(key.endpoint))
}

// add counts and queues a job. The caller holds mu.
func (d *Dispatcher) add(l *lane, j *job) {
	d.jobs++
	d.bytes += j.size
	l.jobs++
	l.bytes += j.size
	if j.drained {
		d.drained++
		d.drainedBytes += j.size
		l.drained++
	}
	if j.claimed {
		l.backlog = append(l.backlog, j)
	} else {
		l.live = append(l.live, j)
	}
}

// take removes the job whose turn it is; nil: there is none, or so many jobs from
// the log are running as may.
func (l *lane) take(share int) *job {
	fromLog := len(l.backlog) > 0 && l.running < share
	if len(l.live) > 0 && (!fromLog || l.turn < backlogTurn-1) {
		l.turn++
		return pop(&l.live)
	}
	l.turn = 0
	if !fromLog {
		return nil
	}
	l.running++
	return pop(&l.backlog)
}

func pop(queue *[]*job) *job {
	j := (*queue)[0]
	(*queue)[0] = nil
	*queue = (*queue)[1:]
	return j
}

// clear empties the queues and returns what was in them.
func (l *lane) clear() []*job {
	left := slices.Concat(l.live, l.backlog)
	l.live, l.backlog = nil, nil
	return left
}

// emptyLane takes all jobs out of a lane that have not begun. The caller holds mu.
func (d *Dispatcher) emptyLane(key laneKey) []*job {
	l := d.lanes[key]
	if l == nil {
		return nil
	}
	left := l.clear()
	for _, j := range left {
		d.uncount(l, j)
	}
	return left
}

// backlogShare is how many of the attempts at a time may be of jobs from the log.
func backlogShare(limit int) int { return (limit + 1) / 2 }

// inFlightLimit is at least 1: what can't be delivered now has to be put off.
func (d *Dispatcher) inFlightLimit(endpoint string) int {
	r, ok := d.o.Routes.Route(endpoint)
	if !ok {
		return 1
	}
	return max(1, r.Delivery.MaxInFlight)
}

// work runs the jobs of a lane until there is none left.
func (d *Dispatcher) work(key laneKey, l *lane) {
	defer d.running.Done()
	for j := d.next(key, l); j != nil; j = d.next(key, l) {
		d.run(j)
		d.abandoned(j)
		d.forget(key, l, j)
	}
}

// next takes a job; nil: the worker ends, and with the last one the lane.
func (d *Dispatcher) next(key laneKey, l *lane) *job {
	share := backlogShare(d.inFlightLimit(key.endpoint))
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := l.take(share); j != nil {
		return j
	}
	if l.workers--; l.workers == 0 && d.lanes[key] == l {
		delete(d.lanes, key)
	}
	return nil
}

// forget ends a job that ran. If the lane has room again for what was parked, the
// drain loop is told.
func (d *Dispatcher) forget(key laneKey, l *lane, j *job) {
	depth := d.drainDepth(key.endpoint)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uncount(l, j)
	if j.claimed {
		l.running--
	}
	if j.drained && l.drained <= depth/2 || l.refused && l.jobs <= depth/2 {
		l.refused = false
		d.wakeDrain()
	}
}

// uncount is the inverse of add. The caller holds mu.
func (d *Dispatcher) uncount(l *lane, j *job) {
	l.jobs--
	l.bytes -= j.size
	d.jobs--
	d.bytes -= j.size
	if j.drained {
		l.drained--
		d.drained--
		d.drainedBytes -= j.size
	}
}

// run makes one attempt, if the target can be reached at all, and settles it.
func (d *Dispatcher) run(j *job) {
	waited, ending := d.awaitTurn(j.lane())
	if ending {
		d.giveBack(j)
		return
	}
	r, reason := d.routeTo(j.lane())
	if reason != "" {
		d.learnHeld(j, reason, true)
		d.hold(j, r, reason)
		return
	}
	if reason := d.openBecause(j.lane()); reason != "" && (j.expired || waited && !j.probe) {
		d.hold(j, r, reason)
		return
	}
	if !d.keepLease(j, r) {
		return
	}
	started := d.o.Store.Now()
	result := d.attempt(d.ctx, &r, j.event, j.number(), discard)
	d.settle(j, r, result, started)
}

// routeTo is the route of an endpoint, with the target that is named. reason says
// why no attempt can be made; "": it can.
func (d *Dispatcher) routeTo(key laneKey) (r route.Route, reason string) {
	r, ok := d.o.Routes.Route(key.endpoint)
	if !ok {
		return r, "no route is served for the endpoint"
	}
	if r.Delivery.Paused {
		return r, "the endpoint is paused"
	}
	if r.Target, ok = r.TargetOf(key.target); !ok {
		return r, "the endpoint has no target any more that the delivery is for"
	}
	if r.Target.Unresolved != "" || !r.Target.FreshSignature {
		return r, r.Target.Unresolved
	}
	if err := d.o.Routes.Signer(key.endpoint).CanResign(d.o.Store.Now()); err != nil {
		return r, fmt.Sprintf("nothing can be signed anew: %v", err)
	}
	return r, ""
}

// shipment is an event on its way to the target of a route.
func (d *Dispatcher) shipment(r *route.Route, event *store.Event, number int) *shipment {
	s := &shipment{route: r, event: event, number: number}
	if r.Target.FreshSignature {
		s.signer = d.o.Routes.Signer(event.Endpoint)
	}
	return s
}
