package deliver

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport.dev/sallyport/receiver/store"
)

// durations are buckets, from a local target to one that hangs.
var durations = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// metrics are those of deliveries. Histograms carry no endpoint, whose number
// has no bound; circuitOpen has a series only while a circuit is open.
type metrics struct {
	deliveries  *prometheus.CounterVec
	attempts    *prometheus.CounterVec
	duration    prometheus.Histogram
	endToEnd    prometheus.Histogram
	pending     prometheus.Gauge
	delayed     prometheus.Gauge
	dead        prometheus.Gauge
	oldest      prometheus.Gauge
	expired     prometheus.Counter
	redisErrors prometheus.Counter
	fenced      prometheus.Counter
	held        prometheus.Counter
	waiting     prometheus.Gauge
	circuitOpen *prometheus.GaugeVec
	missing     prometheus.Counter
	bytes       prometheus.Gauge
	memory      prometheus.Gauge
	bound       prometheus.Gauge
	window      prometheus.Gauge
	skew        prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "sallyport_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_" + name, Help: help})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sallyport_" + name, Help: help, Buckets: durations})
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		deliveries:  vector("deliveries_total", "Outcomes of deliveries: delivered, retry_scheduled, dead_lettered.", "result"),
		attempts:    vector("delivery_attempts_total", "Attempts by the target's status code; none: no answer.", "code"),
		duration:    histogram("delivery_duration_seconds", "Duration of one attempt."),
		endToEnd:    histogram("end_to_end_duration_seconds", "From the receipt of an event to the target's 2xx."),
		pending:     gauge("events_pending", "Deliveries that are neither done nor given up, of all receivers."),
		delayed:     gauge("events_delayed", "Pending deliveries that have failed at least once, of all receivers."),
		dead:        gauge("dead_letters", "Deliveries that were given up and are kept, of all receivers."),
		oldest:      gauge("oldest_pending_seconds", "Age of the oldest pending delivery; 0: none is pending."),
		expired:     counter("dead_letters_expired_total", "Dead letters removed by this receiver because they were older than they may be."),
		redisErrors: counter("redis_errors_total", "Failed operations on Redis of deliveries; each is tried again."),
		fenced:      counter("deliveries_fenced_total", "Deliveries let go of because another receiver has them."),
		held:        counter("deliveries_held_total", "Deliveries moved to the backlog of their target: it takes nothing now, or there was no room in memory for them."),
		waiting:     gauge("events_held", "Pending deliveries in the backlogs of targets, of all receivers."),
		missing:     counter("events_missing_total", "Deliveries whose events are gone from Redis without having been delivered or purged, found by this receiver."),
		bytes:       gauge("events_bytes", "Size of the events that are stored, dead letters included, of all receivers."),
		memory:      gauge("redis_memory_ratio", "Memory that Redis uses, as a part of its maxmemory, of the fullest server; 0: it has no maxmemory."),
		bound:       gauge("endpoint_bound_bytes", "What may be stored of an endpoint now: --max-queued-bytes, or what Redis has room for."),
		window:      gauge("remembered_window_ratio", "Part of the deduplication window for which events are remembered from now on; below 1: Redis has no room for more."),
		skew:        gauge("redis_clock_skew_seconds", "By how much the clock of Redis is ahead of that of this receiver."),
		circuitOpen: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sallyport_circuit_open",
			Help: "1 while this receiver holds the deliveries of a target: it fails, or there is no route or Service for it."}, []string{"endpoint", "target"}),
	}
	registry.MustRegister(m.deliveries, m.attempts, m.duration, m.endToEnd, m.pending, m.delayed, m.dead, m.oldest, m.expired,
		m.redisErrors, m.fenced, m.held, m.waiting, m.circuitOpen, m.missing, m.bytes, m.memory, m.bound, m.window, m.skew)
	return m
}

func (m *metrics) attempted(result outcome, took time.Duration) {
	code := "none"
	if result.status != 0 {
		code = strconv.Itoa(result.status)
	}
	m.attempts.WithLabelValues(code).Inc()
	m.duration.Observe(took.Seconds())
}

// lost counts a write that failed: another receiver has the delivery, or the log is
// away.
func (m *metrics) lost(err error) {
	if errors.Is(err, store.ErrFenced) {
		m.fenced.Inc()
		return
	}
	m.redisErrors.Inc()
}

func (m *metrics) delivered(endToEnd time.Duration) {
	m.deliveries.WithLabelValues("delivered").Inc()
	m.endToEnd.Observe(endToEnd.Seconds())
}

func (m *metrics) stored(stats store.Stats, now time.Time) {
	m.pending.Set(float64(stats.Pending))
	m.waiting.Set(float64(stats.Held))
	m.delayed.Set(float64(stats.Delayed))
	m.dead.Set(float64(stats.Dead))
	age := 0.0
	if !stats.OldestPending.IsZero() {
		age = max(0, now.Sub(stats.OldestPending).Seconds())
	}
	m.oldest.Set(age)
}
