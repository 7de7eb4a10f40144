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
	// seriesIdle is the pause that ends a series: the next outcome gets an Event of its
	// own. It is much shorter than the hour for which API servers keep Events, so that
	// the Event of a series still exists when the series goes on.
	seriesIdle = 15 * time.Minute
	// maxSeries bounds the series in memory, some 1 kB each. It suffices for 1,000
	// endpoints with four kinds of outcome at once.
	maxSeries = 4096
	// reservedSeries come on top for each urgency above that of strangers, so that no flood
	// of what is less urgent takes the place of a dead letter.
	reservedSeries = 512
)

// urgency is the order in which series are written, the least first.
type urgency int

const (
	urgentLoss     urgency = iota // nobody delivers it any more, unless a person acts
	urgentWarning                 // something authentic has trouble
	urgentStranger                // a warning that anybody can cause, at any number of endpoints
	urgentNormal                  // all is well
)

// urgencyOf judges one outcome.
func urgencyOf(r *Record) urgency {
	switch {
	case r.Status == DeadLettered || r.Status == Expired:
		return urgentLoss
	case !r.Status.warns():
		return urgentNormal
	case r.isOfStranger():
		return urgentStranger
	default:
		return urgentWarning
	}
}

// mostSeries bounds the series that there may be when one of an urgency begins.
func mostSeries(u urgency) int { return maxSeries + reservedSeries*max(0, int(urgentStranger-u)) }

// kind is what two outcomes have in common if one repeats the other.
type kind struct {
	endpoint string
	uid      string // an endpoint that is deleted and created again is another one
	status   Status
	urgency  urgency
}

// series are the outcomes of one kind that share an Event.
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

// add adds one outcome. isNew reports whether it starts a series, which is due at
// once. Any other outcome is folded into its series, or only counted if there are too
// many series.
func (f *folder) add(r Record, now time.Time) (isNew bool) {
	key := kind{r.Endpoint, r.EndpointUID, r.Status, urgencyOf(&r)}
	if s, ok := f.bySeries[key]; ok {
		s.count++
		s.last = r
		return false
	}
	if len(f.bySeries) >= mostSeries(key.urgency) {
		return false
	}
	f.bySeries[key] = &series{first: r, last: r, count: 1, writeAt: now}
	return true
}

// next returns the series that has to be written first at now, nil if none has. Of equal
// urgency, it is the one that has waited longest. It forgets the series that have ended.
func (f *folder) next(now time.Time) *series {
	var first *series
	var urgent urgency
	for key, s := range f.bySeries {
		switch {
		case s.count == s.written:
			if now.Sub(s.last.Time) > seriesIdle {
				delete(f.bySeries, key)
			}
		case now.Before(s.writeAt):
		case first == nil, key.urgency < urgent, key.urgency == urgent && s.writeAt.Before(first.writeAt):
			first, urgent = s, key.urgency
		}
	}
	return first
}

// wrote records that the Event of that name has count outcomes of s. An empty name
// starts a new Event, with the latest outcome.
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

// warns reports whether the outcome needs somebody's attention.
func (s Status) warns() bool {
	switch s {
	case Rejected, Unavailable, RetryScheduled, DeadLettered, Expired:
		return true
	default:
		return false
	}
}
