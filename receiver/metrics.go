package receiver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// metricsNamespace is the prefix of all metrics.
const metricsNamespace = "sallyport"

// acceptBuckets reach from a store on the same node to the store's timeout.
var acceptBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}

// Why an event counts as a duplicate.
const duplicateEventID = "event-id"

// Metrics count requests. Labels come from routes, never from requests, so
// there are only as many series as there are endpoints.
type Metrics struct {
	requests          *prometheus.CounterVec
	signatureFailures *prometheus.CounterVec
	duplicates        *prometheus.CounterVec
	acceptDuration    prometheus.Histogram
	panics            prometheus.Counter
	redisUp           prometheus.Gauge
	redisRisks        prometheus.Gauge
}

// NewMetrics registers the metrics of requests and of the routes in live.
func NewMetrics(registry prometheus.Registerer, live *route.Live) *Metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, value func() int) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	m := &Metrics{
		requests:          counters("requests_total", "Requests by outcome; the endpoint is empty if no route has the path.", "endpoint", "provider", "outcome"),
		signatureFailures: counters("signature_failures_total", "Requests that were not authentic, by reason.", "endpoint", "provider", "reason"),
		duplicates:        counters("duplicates_total", "Events that were stored before, by how they were recognised.", "endpoint", "provider", "reason"),
		acceptDuration: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: metricsNamespace, Name: "accept_duration_seconds",
			Help: "Time from the end of the body to the acknowledgement of an accepted event.", Buckets: acceptBuckets}),
		panics:  prometheus.NewCounter(prometheus.CounterOpts{Namespace: metricsNamespace, Name: "request_panics_total", Help: "Requests that ended in a panic and were answered 500."}),
		redisUp: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: "redis_up", Help: "1 while Redis answers, else 0."}),
	}
	m.redisRisks = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: "redis_risky_settings",
		Help: "Settings of Redis with which acknowledged events can be lost; the log names them."})
	registry.MustRegister(m.requests, m.signatureFailures, m.duplicates, m.acceptDuration, m.panics, m.redisUp, m.redisRisks,
		gauge("routes_loaded", "Routes in the table.", func() int { return live.Table().Len() }),
		gauge("routes_invalid", "Routes that fail closed because they can't be decoded or compiled.", func() int { return live.Table().Invalid() }))
	return m
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
