package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	eventsv1 "k8s.io/api/events/v1"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// webhookTimeout bounds what happens to one webhook.
const webhookTimeout = 20 * time.Second

// showAll sends all webhooks.
func (d *demo) showAll(ctx context.Context) error {
	webhooks, err := d.webhooks(ctx)
	if err != nil {
		return err
	}
	for i, w := range webhooks {
		d.out.heading(fmt.Sprintf("\n%d. %s", i+1, w.title))
		if w.delivered != "" {
			d.deliveries++
		}
		if err := d.show(ctx, w); err != nil {
			return fmt.Errorf("%d. %s: %w", i+1, w.title, err)
		}
	}
	d.out.line("")
	return nil
}

// show sends a webhook, and shows and checks what comes of it.
func (d *demo) show(ctx context.Context, w webhook) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	answer, err := cluster.Post(ctx, w.url, w.header, w.body)
	if err != nil {
		return fmt.Errorf("send the webhook: %w", err)
	}
	d.out.detail("answer", "%d %s", answer.Status, strings.TrimSpace(answer.Body))
	if answer.Status != w.status || !strings.Contains(answer.Body, w.says) {
		return fmt.Errorf("the answer is %d %q, expected %d with %q", answer.Status, answer.Body, w.status, w.says)
	}
	if err := d.showDelivery(ctx, w); err != nil {
		return err
	}
	if err := d.showRecords(ctx, w, answer.Header.Get("X-Request-Id")); err != nil {
		return err
	}
	if got := len(d.target.Requests.All()); got != d.deliveries {
		return fmt.Errorf("the target has had %d requests, expected %d", got, d.deliveries)
	}
	return nil
}

// showDelivery shows what the target got, and checks that it is what was sent.
func (d *demo) showDelivery(ctx context.Context, w webhook) error {
	if w.delivered == "" {
		d.out.detail("target", "got nothing")
		return nil
	}
	got, err := d.target.Requests.Await(ctx, func(r cluster.Received) bool { return r.EventID() == w.eventID })
	if err != nil {
		return fmt.Errorf("wait for the target to get the event %s: %w", w.eventID, err)
	}
	d.out.detail("target", "got %s %s, %d bytes, SHA-256 %.16x..., with", got.Method, got.Path, len(got.Body), sha256.Sum256(got.Body))
	for _, line := range sallyportHeaders(got.Header) {
		d.out.detail("", "%s", line)
	}
	switch {
	case got.Path != w.delivered:
		return fmt.Errorf("the target was called at %s, expected %s", got.Path, w.delivered)
	case !bytes.Equal(got.Body, w.body):
		return fmt.Errorf("the target got another body than was sent: %q", got.Body)
	case got.Header.Get("Sallyport-Event-Type") != w.eventType:
		return fmt.Errorf("the target was told the type %q, expected %q", got.Header.Get("Sallyport-Event-Type"), w.eventType)
	case got.Header.Get("Sallyport-Endpoint") != w.endpoint.String():
		return fmt.Errorf("the target was told the endpoint %q, expected %q", got.Header.Get("Sallyport-Endpoint"), w.endpoint)
	}
	return nil
}

// sallyportHeaders lists the headers that the receiver adds, two to a line.
func sallyportHeaders(header http.Header) []string {
	var all []string
	for name := range header {
		if strings.HasPrefix(name, "Sallyport-") {
			all = append(all, name+": "+header.Get(name))
		}
	}
	slices.Sort(all)
	var rows []string
	for row := range slices.Chunk(all, 2) {
		rows = append(rows, strings.Join(row, "  "))
	}
	return rows
}

// showRecords shows each expected outcome in the audit log and as an Event.
func (d *demo) showRecords(ctx context.Context, w webhook, requestID string) error {
	for _, outcome := range w.outcomes {
		record, err := d.receiver.Audit.Await(ctx, func(r audit.Record) bool { return r.Status == outcome && r.RequestID == requestID })
		if err != nil {
			return fmt.Errorf("wait for %q of the request %s in the audit log: %w", outcome, requestID, err)
		}
		d.out.detail("audit", "%s", summary(record))
		if record.SignatureVerified != (outcome != audit.Rejected) {
			return fmt.Errorf("the audit log says signature_verified=%t of %q", record.SignatureVerified, outcome)
		}
	}
	for _, outcome := range w.outcomes {
		reason := reasonOf(outcome)
		event, err := d.cluster.AwaitEvent(ctx, w.endpoint, func(e *eventsv1.Event) bool { return e.Reason == reason })
		if err != nil {
			return fmt.Errorf("reason %s: %w", reason, err)
		}
		d.out.detail("event", "%s %s: %s", event.Type, event.Reason, event.Note)
	}
	return nil
}

// reasonOf is the reason of the Event of an outcome: retry_scheduled has
// RetryScheduled.
func reasonOf(outcome audit.Status) string {
	var reason strings.Builder
	for word := range strings.SplitSeq(string(outcome), "_") {
		reason.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return reason.String()
}

// summary is an audit record on one line. The file has all fields.
func summary(r audit.Record) string {
	fields := []string{"processing_status=" + string(r.Status), "endpoint=" + r.Endpoint}
	for _, field := range []struct{ name, value string }{
		{"event_id", r.EventID}, {"event_type", r.EventType}, {"target", r.Target},
	} {
		if field.value != "" {
			fields = append(fields, field.name+"="+field.value)
		}
	}
	fields = append(fields, fmt.Sprintf("signature_verified=%t status_code=%d duration_ms=%.1f", r.SignatureVerified, r.StatusCode, r.DurationMS))
	if r.ErrorMessage != "" {
		fields = append(fields, fmt.Sprintf("error_message=%q", r.ErrorMessage))
	}
	return strings.Join(fields, " ")
}
