package audit

import (
	"strings"
	"time"
)

// The limits within which outcomes become Kubernetes Events.
const (
	// writeInterval is the shortest time between two API writes for one endpoint
	// and reason.
	writeInterval = 10 * time.Second
	// seriesIdle ends a series: what happens after it is news again and gets an
	// Event of its own. It is much shorter than the hour for which API servers
	// keep Events, so that a series is never continued on an Event that is gone.
	seriesIdle = 15 * time.Minute
	// maxSeries bounds the series that are remembered, some 1 kB each. It holds
	// 1,000 endpoints with four kinds of outcome at once.
	maxSeries = 4096
)

// kind is what makes two outcomes repeats of each other.
type kind struct {
	endpoint string
	uid      string // an endpoint that was deleted and made again is another one
	status   Status
}

// series is what happened of one kind and has been, or is to be, written as
// one Event.
type series struct {
	name    string // of the Event; empty until it is created
	first   Record
	last    Record
	count   int       // outcomes so far
	written int       // outcomes that the API server knows of
	writeAt time.Time // not before
}

// folder folds outcomes into series. It is plain data without a clock or a
// lock of its own.
type folder struct{ bySeries map[kind]*series }

func newFolder() *folder { return &folder{bySeries: make(map[kind]*series)} }

// add takes in one outcome. isNew: it starts a series and is to be written at
// once. Otherwise it is folded, into a series or, if too many are remembered,
// into nothing but a metric.
func (f *folder) add(r Record, now time.Time) (isNew bool) {
	key := kind{r.Endpoint, r.EndpointUID, r.Status}
	if s, ok := f.bySeries[key]; ok {
		s.count++
		s.last = r
		return false
	}
	if len(f.bySeries) >= maxSeries {
		return false
	}
	f.bySeries[key] = &series{first: r, last: r, count: 1, writeAt: now}
	return true
}

// due returns the series that are to be written at now, and forgets those in
// which nothing happens any more.
func (f *folder) due(now time.Time) []*series {
	var found []*series
	for key, s := range f.bySeries {
		switch {
		case s.count > s.written && !now.Before(s.writeAt):
			found = append(found, s)
		case s.count == s.written && now.Sub(s.last.Time) > seriesIdle:
			delete(f.bySeries, key)
		}
	}
	return found
}

// wrote notes that the API server has taken count outcomes of s under the name
// of an Event. An empty name starts again with a new Event, on the latest outcome.
func (s *series) wrote(name string, count int, now time.Time) {
	if name == "" {
		s.first = s.last
	}
	s.name, s.written, s.writeAt = name, count, now.Add(writeInterval)
}

// reason returns the status in the form that Kubernetes uses: RetryScheduled.
func (s Status) reason() string {
	var b strings.Builder
	for word := range strings.SplitSeq(string(s), "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// warns reports whether the outcome asks for somebody's attention.
func (s Status) warns() bool {
	switch s {
	case Rejected, Unavailable, RetryScheduled, DeadLettered, Expired:
		return true
	default:
		return false
	}
}
