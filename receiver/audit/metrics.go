package audit

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what the audit did not or could not write.
type Metrics struct {
	logDropped    prometheus.Counter
	eventsFolded  prometheus.Counter
	eventsFailed  prometheus.Counter
	eventsWritten prometheus.Counter
	// journalDropped is by reason.
	journalDropped map[string]prometheus.Counter
}

// Why a record is missing from the journal.
const (
	reasonFolded    = "folded"     // more came of its endpoint at once than is kept
	reasonQueueFull = "queue_full" // more came of all endpoints at once than is kept
	reasonRedis     = "redis"      // Redis did not take it
	reasonClosed    = "closed"     // the receiver ends
)

// NewMetrics registers the metrics of the audit.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "sallyport", Name: name, Help: help})
		registry.MustRegister(c)
		return c
	}
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "sallyport", Name: "audit_journal_dropped_total",
		Help: "Audit records that are not among those kept for people to look at: folded, queue_full, redis, closed."}, []string{"reason"})
	registry.MustRegister(dropped)
	journalDropped := map[string]prometheus.Counter{}
	for _, reason := range []string{reasonFolded, reasonQueueFull, reasonRedis, reasonClosed} {
		journalDropped[reason] = dropped.WithLabelValues(reason)
	}
	return &Metrics{
		journalDropped: journalDropped,

		logDropped:    counter("audit_log_dropped_total", "Audit records that were not written because the log could not keep up."),
		eventsFolded:  counter("audit_events_folded_total", "Outcomes that got no write of their own on the API server: repeats within an Event's series, and outcomes beyond what is remembered."),
		eventsFailed:  counter("audit_events_failed_total", "Kubernetes Events that the API server did not take; they are tried again."),
		eventsWritten: counter("audit_events_written_total", "Kubernetes Events that were created or updated."),
	}
}
