package audit

import "time"

// FanOut is a Sink that completes each record and hands it to several sinks.
type FanOut struct {
	receiver string
	now      func() time.Time
	sinks    []Sink
}

// NewFanOut returns a FanOut that fills in the name of the receiver and, where
// it is missing, the time.
func NewFanOut(receiver string, now func() time.Time, sinks ...Sink) *FanOut {
	return &FanOut{receiver: receiver, now: now, sinks: sinks}
}

// Record implements Sink.
func (f *FanOut) Record(r Record) {
	r.Receiver = f.receiver
	if r.Time.IsZero() {
		r.Time = f.now()
	}
	for _, sink := range f.sinks {
		sink.Record(r)
	}
}
