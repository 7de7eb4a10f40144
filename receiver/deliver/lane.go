package deliver

import "sallyport.dev/sallyport/receiver/route"

// laneKey names a target: of an endpoint, because the bounds are the endpoint's.
type laneKey struct{ endpoint, target string }

// lane is the queue of one target. Its jobs run side by side, as many as the
// target may get at a time. Dispatcher.mu guards it.
type lane struct {
	queue   []*job
	workers int
}

// enqueue queues a job in the lane of its target; false: there is no room.
func (d *Dispatcher) enqueue(j *job) bool {
	key := laneKey{j.event.Endpoint, j.lease.Target}
	limit := d.inFlightLimit(j.event.Endpoint)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining || d.jobs >= maxJobs || d.bytes+j.size > maxBytes && d.jobs > 0 {
		return false
	}
	l := d.lanes[key]
	if l == nil {
		l = &lane{}
		d.lanes[key] = l
	}
	if len(l.queue) >= maxLaneJobs {
		return false
	}
	l.queue = append(l.queue, j)
	d.jobs++
	d.bytes += j.size
	if l.workers < limit {
		l.workers++
		d.running.Add(1)
		go d.work(key, l)
	}
	return true
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
		d.forget(j)
	}
}

// next takes a job; nil: the worker ends, and with the last one the lane.
func (d *Dispatcher) next(key laneKey, l *lane) *job {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(l.queue) > 0 {
		j := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		return j
	}
	if l.workers--; l.workers == 0 && d.lanes[key] == l {
		delete(d.lanes, key)
	}
	return nil
}

func (d *Dispatcher) forget(j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
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
