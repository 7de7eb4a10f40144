package deliver

import (
	"errors"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
)

// errNotNoted is for the audit: the receiver that claims the delivery next makes it again.
var errNotNoted = errors.New("the target took it, but that could not be noted: it is delivered again")

// report says in metrics and audit what became of a delivery. What could not be
// written is left to the receiver that claims the delivery next; only that the target
// has got it is recorded anyway.
func (w *workers) report(j *job, r route.Route, d decision, result outcome, written bool) {
	switch {
	case d.action == finish && !written:
		result.err = errNotNoted
		w.record(j, r, audit.RetryScheduled, result)
	case !written:
	case d.action == finish:
		w.metrics.delivered(result.ended.Sub(j.event.ReceivedAt))
		w.record(j, r, audit.Delivered, result)
	case d.action == retry:
		w.metrics.deliveries.WithLabelValues("retry_scheduled").Inc()
		w.record(j, r, audit.RetryScheduled, result)
		w.due.by(d.at)
	case d.action == deadLetter:
		w.metrics.deliveries.WithLabelValues("dead_lettered").Inc()
		w.record(j, r, audit.DeadLettered, result)
	case d.action == hold:
		w.metrics.held.Inc()
		w.Logger.Debug("a delivery is held", "endpoint", j.event.Endpoint, "eventId", j.event.ID, "reason", result.err.Error())
	}
}

func (w *workers) record(j *job, r route.Route, status audit.Status, result outcome) {
	record := audit.Of(j.event.Meta, status, w.Store.Now())
	record.Attempt, record.Target, record.StatusCode = j.failure.Attempts, targetName(r.Target), result.status
	record.DurationMS = float64(result.took.Microseconds()) / 1000
	if result.err != nil {
		record.ErrorMessage = result.err.Error()
	}
	w.Audit.Record(record)
}
