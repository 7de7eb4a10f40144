package intake

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// acceptBuckets range from a store on the same node to one that had to be waited for.
var acceptBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25}

// duplicateEventID is why most duplicates are recognised.
const duplicateEventID = "event-id"

// Metrics count requests. Labels come from routes, never from requests, so that the
// number of endpoints bounds the number of series.
type Metrics struct {
	requests          *prometheus.CounterVec
	signatureFailures *prometheus.CounterVec
	duplicates        *prometheus.CounterVec
	acceptDuration    prometheus.Histogram
	acceptsRetried    prometheus.Counter
	panics            prometheus.Counter
	factory           promauto.Factory
}

// NewMetrics registers the metrics of requests and of the routes in live.
func NewMetrics(registry prometheus.Registerer, live *route.Live) *Metrics {
	auto := promauto.With(registry)
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_routes_loaded", Help: "Routes in the table."},
		func() float64 { return float64(live.Table().Len()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_routes_invalid", Help: "Routes that fail closed because they can't be decoded or compiled."},
		func() float64 { return float64(live.Table().Invalid()) })
	return &Metrics{
		factory: auto,
		requests: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_requests_total", Help: "Requests by outcome; the endpoint is empty if no route has the path.",
		}, []string{"endpoint", "provider", "outcome"}),
		signatureFailures: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_signature_failures_total", Help: "Requests that were not authentic, by reason.",
		}, []string{"endpoint", "provider", "reason"}),
		duplicates: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_duplicates_total", Help: "Events that were stored before, by how they were recognised.",
		}, []string{"endpoint", "provider", "reason"}),
		acceptDuration: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "sallyport_accept_duration_seconds", Help: "Time from the end of the body to the acknowledgement of an accepted event.", Buckets: acceptBuckets,
		}),
		acceptsRetried: auto.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_accepts_retried_total", Help: "Events that could not be stored at once, or marked, because Redis was away, and were tried again.",
		}),
		panics: auto.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_request_panics_total", Help: "Requests that ended in a panic and were answered 500.",
		}),
	}
}

// watch shows how much memory bodies have.
func (m *Metrics) watch(memory *memory) {
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_body_bytes", Help: "Memory of the bodies of requests in flight."},
		func() float64 { return float64(memory.used()) })
}

// observe counts a request that was answered.
func (m *Metrics) observe(x *exchange, ended time.Time) {
	endpoint, provider := x.labels()
	m.requests.WithLabelValues(endpoint, provider, string(x.outcome)).Inc()
	switch x.outcome {
	case audit.Accepted:
		m.acceptDuration.Observe(ended.Sub(x.complete).Seconds())
	case audit.Duplicate:
		m.duplicates.WithLabelValues(endpoint, provider, x.duplicateReason()).Inc()
	}
}

func (m *Metrics) signatureFailed(x *exchange, reason verify.Reason) {
	endpoint, provider := x.labels()
	m.signatureFailures.WithLabelValues(endpoint, provider, string(reason)).Inc()
}

func (x *exchange) labels() (endpoint, provider string) {
	if x.entry == nil {
		return "", ""
	}
	return x.entry.Name, x.entry.Route.Provider.Name
}

func (x *exchange) duplicateReason() string {
	if x.reason != "" {
		return x.reason
	}
	return duplicateEventID
}
