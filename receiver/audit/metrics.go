package audit

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count the records that were not, or could not be, written.
type Metrics struct {
	logDroppedAuthentic, logDroppedUnauthentic prometheus.Counter

	eventsFolded  prometheus.Counter
	eventsFailed  prometheus.Counter
	eventsWritten prometheus.Counter
	// journalDropped is by reason.
	journalDropped map[string]prometheus.Counter
}

// Why a record is missing from the journal.
const (
	reasonFolded      = "folded"      // its endpoint had too many at once
	reasonQueueFull   = "queue_full"  // all endpoints had too many at once
	reasonUnauthentic = "unauthentic" // one of many requests that were not authentic
	reasonRedis       = "redis"       // Redis did not take it
	reasonClosed      = "closed"      // the receiver ends
)

// logDropped counts records that are missing from the log.
func (m *Metrics) logDropped(stranger bool) prometheus.Counter {
	if stranger {
		return m.logDroppedUnauthentic
	}
	return m.logDroppedAuthentic
}

// NewMetrics registers the metrics of the audit.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	auto := promauto.With(registry)
	dropped := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "sallyport_audit_journal_dropped_total",
		Help: "Audit records that are not among those kept for people to look at: folded, queue_full, unauthentic, redis, closed.",
	}, []string{"reason"})
	logDropped := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "sallyport_audit_log_dropped_total",
		Help: "Audit records that were not written because the log could not keep up, by whether they are about something authentic.",
	}, []string{"authentic"})
	journalDropped := map[string]prometheus.Counter{}
	for _, reason := range []string{reasonFolded, reasonQueueFull, reasonUnauthentic, reasonRedis, reasonClosed} {
		journalDropped[reason] = dropped.WithLabelValues(reason)
	}
	return &Metrics{
		journalDropped:      journalDropped,
		logDroppedAuthentic: logDropped.WithLabelValues("true"), logDroppedUnauthentic: logDropped.WithLabelValues("false"),
		eventsFolded: auto.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_audit_events_folded_total",
			Help: "Outcomes that got no write of their own on the API server: repeats within an Event's series, and outcomes beyond what is remembered.",
		}),
		eventsFailed: auto.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_audit_events_failed_total",
			Help: "Kubernetes Events that the API server did not take; they are tried again.",
		}),
		eventsWritten: auto.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_audit_events_written_total",
			Help: "Kubernetes Events that were created or updated.",
		}),
	}
}
