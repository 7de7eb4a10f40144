package deliver

import (
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// targetID names a target: of an endpoint, because the bounds are the endpoint's.
type targetID struct {
	endpoint string
	name     string // "", or a route's name
}

// origin says how a delivery came into memory.
type origin int

const (
	offered  origin = iota // by the handler, which has just stored it
	claimed                // from the log: a retry, or what another receiver left
	refilled               // from a backlog
	expired                // from a backlog: it is too old to wait for its target any longer
)

// job is a delivery in memory. The goroutine that runs it owns it.
type job struct {
	event   *store.Event
	lease   store.Lease
	failure store.Failure
	size    int64
	from    origin
	probe   probe // whether the circuit of its target depends on it
}

func newJob(event *store.Event, lease store.Lease, from origin) *job {
	return &job{event: event, lease: lease, from: from, size: int64(len(event.Body)) + jobBytes}
}

// jobBytes estimates what an event takes in memory beside its body.
const jobBytes = 4096

func (j *job) target() targetID { return targetID{j.event.Endpoint, j.lease.Target} }

func (j *job) fromLog() bool { return j.from != offered }

func (j *job) fromBacklog() bool { return j.from == refilled || j.from == expired }

// number of the attempt that comes next, from 1.
func (j *job) number() int { return j.failure.Attempts + 1 }

// since is when the age of the delivery began: with the receipt of the event, or
// when the delivery was revived.
func (j *job) since() time.Time {
	if j.failure.Since.After(j.event.ReceivedAt) {
		return j.failure.Since
	}
	return j.event.ReceivedAt
}
