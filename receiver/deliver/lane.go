package deliver

import (
	"slices"

	"sallyport.dev/sallyport/receiver/route"
)

// laneKey names a target: of an endpoint, because the bounds are the endpoint's.
type laneKey struct{ endpoint, target string }

// lane is the queue of one target. Its jobs run side by side, as many as the
// target may get at a time. Dispatcher.mu guards it.
type lane struct {
	live    []*job // just accepted
	backlog []*job // claimed: retries, and what others left
	workers int
	jobs    int   // queued or running
	bytes   int64 // of those
	turn    int   // jobs taken since the backlog had its turn
}

const (
	// laneShare is the part of the room that is still free which one lane may
	// fill, so that each further lane that is stuck gets less.
	laneShare = 8
	// backlogTurn: one job in so many comes from the backlog while there is live
	// traffic, so that a backlog neither delays it nor waits for ever.
	backlogTurn = 4
)

// enqueue queues a job in the lane of its target; false: there is no room.
func (d *Dispatcher) enqueue(j *job) bool {
	key := laneKey{j.event.Endpoint, j.lease.Target}
	limit := d.inFlightLimit(j.event.Endpoint)
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[key]
	if l == nil {
		l = &lane{}
	}
	if d.draining || !d.fits(l, j) {
		return false
	}
	d.lanes[key] = l
	l.add(j)
	d.jobs++
	d.bytes += j.size
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
// is held, or a large event would never go.
func (d *Dispatcher) fits(l *lane, j *job) bool {
	freeJobs, freeBytes := maxJobs-d.jobs, maxBytes-d.bytes
	if l.jobs == 0 {
		return freeJobs+reserveJobs > 0 && freeBytes+reserveBytes >= j.size || d.jobs == 0
	}
	return l.jobs < freeJobs/laneShare && l.bytes+j.size <= freeBytes/laneShare
}

func (l *lane) add(j *job) {
	l.jobs++
	l.bytes += j.size
	if j.claimed {
		l.backlog = append(l.backlog, j)
	} else {
		l.live = append(l.live, j)
	}
}

// take removes the job whose turn it is; nil: there is none.
func (l *lane) take() *job {
	queue := &l.live
	if len(l.live) == 0 || len(l.backlog) > 0 && l.turn >= backlogTurn-1 {
		queue = &l.backlog
		l.turn = 0
	} else {
		l.turn++
	}
	if len(*queue) == 0 {
		return nil
	}
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
		d.forget(l, j)
	}
}

// next takes a job; nil: the worker ends, and with the last one the lane.
func (d *Dispatcher) next(key laneKey, l *lane) *job {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := l.take(); j != nil {
		return j
	}
	if l.workers--; l.workers == 0 && d.lanes[key] == l {
		delete(d.lanes, key)
	}
	return nil
}

func (d *Dispatcher) forget(l *lane, j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.jobs--
	l.bytes -= j.size
	d.jobs--
	d.bytes -= j.size
}

// run makes one attempt, if the target can be reached at all, and settles it.
func (d *Dispatcher) run(j *job) {
	r, ok := d.o.Routes.Route(j.event.Endpoint)
	if reason := notNow(r, ok); reason != "" {
		d.hold(j, r, reason)
		return
	}
	if !d.keepLease(j, r) {
		return
	}
	started := d.o.Store.Now()
	result := attempt(d.ctx, d.o.Transport, &r, j.event, j.number(), d.o.Store.Now)
	d.settle(j, r, result, started)
}

// notNow says why no attempt can be made; "": it can.
func notNow(r route.Route, ok bool) string {
	switch {
	case !ok:
		return "no route is served for the endpoint"
	case r.Target.Unresolved != "":
		return r.Target.Unresolved
	}
	return ""
}
