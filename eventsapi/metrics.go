package eventsapi

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// The metrics are one set for all servers of the process, as their registry is.
var (
	requestsTotal = promauto.With(metrics.Registry).NewCounterVec(prometheus.CounterOpts{
		Namespace: "sallyport", Subsystem: "events_api", Name: "requests_total",
		Help: "Requests to the events API by resource, verb and status code of the answer.",
	}, []string{"resource", "verb", "code"})
	requestSeconds = promauto.With(metrics.Registry).NewHistogram(prometheus.HistogramOpts{
		Namespace: "sallyport", Subsystem: "events_api", Name: "request_duration_seconds",
		Help: "How long requests to the events API took, watches aside.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
	})
)

// observe counts a request. Labels are of what exists, never what somebody made up.
func observe(info *request.RequestInfo, status int, took time.Duration) {
	resource, verb := "", info.Verb
	if hasTable(info.Resource, "") {
		resource = info.Resource
	}
	switch verb {
	case "get", "list", "watch", "delete", "deletecollection":
	default:
		verb = "other"
	}
	requestsTotal.WithLabelValues(resource, verb, strconv.Itoa(status)).Inc()
	if verb != "watch" {
		requestSeconds.Observe(took.Seconds())
	}
}
