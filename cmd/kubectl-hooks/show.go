package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/cli-runtime/pkg/printers"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
)

// timeLayout is how moments are shown: to the millisecond, in local time.
const timeLayout = "2006-01-02 15:04:05.000 MST"

type showOptions struct {
	output
	endpoint string
	payload  bool
	body     bool
}

func (a *app) showCommand() *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show EVENT",
		Short: "Show one event: what it is, what has become of it, and its history",
		Long: `Show one event: what it is, what has become of its deliveries, and its history.

With --payload also the headers and the body that the target gets. They need a
right of their own, and are gone once the event is delivered.`,
		Example: `kubectl hooks show evt_1MqqbKLt4dXK03v5qaIbiNCC
kubectl hooks show evt_1MqqbKLt4dXK03v5qaIbiNCC --endpoint billing/stripe --payload
kubectl hooks show evt_1MqqbKLt4dXK03v5qaIbiNCC --body | jq .`,
		Args:              arguments(1, 1, "one EVENT"),
		ValidArgsFunction: a.completeEvents,
		RunE:              runE(func(ctx context.Context, args []string) error { return a.show(ctx, args[0], &o) }),
	}
	cmd.Flags().StringVar(&o.endpoint, "endpoint", "", "the `endpoint` that received the event, where several have one of that id")
	mustComplete(cmd, "endpoint", a.completeEndpoints)
	cmd.Flags().BoolVar(&o.payload, "payload", false, "show headers and body, too; with -o, print the WebhookEventPayload")
	cmd.Flags().BoolVar(&o.body, "body", false, "print nothing but the body, as it came")
	o.addFlags(cmd, false)
	return cmd
}

func (a *app) show(ctx context.Context, argument string, o *showOptions) error {
	if o.body && o.printer != nil {
		return cli.Usagef("--body prints the body and nothing else: leave out --output")
	}
	var where []string
	if o.endpoint != "" {
		where = []string{o.endpoint}
	}
	s, err := a.scopeOf(ctx, where, false)
	if err != nil {
		return err
	}
	event, err := a.event(ctx, argument, s)
	if err != nil {
		return err
	}
	var payload *eventsv1alpha1.WebhookEventPayload
	if o.payload || o.body {
		if payload, err = a.payload(ctx, event); err != nil {
			return err
		}
	}
	switch {
	case o.body:
		_, err = a.Out.Write(payload.Body)
		return err
	case o.printer != nil && payload != nil:
		return o.object(a.Out, payload)
	case o.printer != nil:
		return o.object(a.Out, event)
	}
	return a.describe(ctx, event, payload)
}

// payload gets headers and body of an event.
func (a *app) payload(ctx context.Context, event *eventsv1alpha1.WebhookEvent) (*eventsv1alpha1.WebhookEventPayload, error) {
	payload := &eventsv1alpha1.WebhookEventPayload{}
	err := a.client.SubResource(eventsv1alpha1.SubresourcePayload).Get(ctx, event, payload)
	if apierrors.IsNotFound(err) && !isMissingAPI(err) {
		return nil, fmt.Errorf("the payload of the event %s is gone: it is kept until all of its deliveries are done", oneLine(event.Spec.EventID))
	}
	return payload, err
}

// describe shows an event to people. payload may be nil.
func (a *app) describe(ctx context.Context, event *eventsv1alpha1.WebhookEvent, payload *eventsv1alpha1.WebhookEventPayload) error {
	a.describeFacts(event)
	a.describeDeliveries(event)
	if err := a.describeHistory(ctx, event); err != nil {
		return err
	}
	if payload != nil {
		a.describePayload(payload)
	}
	if endpoint := fullName(event.Namespace, event.Spec.Endpoint); event.Status.State == eventsv1alpha1.StateDeadLettered {
		a.sayf("\nTo deliver it again: %s replay %s %s", a.name, endpoint, shellWord(event.Spec.EventID))
	}
	return nil
}

func (a *app) describeFacts(event *eventsv1alpha1.WebhookEvent) {
	spec := &event.Spec
	w := printers.GetNewTabWriter(a.Out)
	defer func() { _ = w.Flush() }()
	fact := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(w, "%s:\t%s\n", name, oneLine(value))
		}
	}
	received := fmt.Sprintf("%s (%s)", spec.ReceivedTime.Local().Format(timeLayout), ago(a.now(), spec.ReceivedTime.Time))
	if spec.SourceIP != "" {
		received += " from " + spec.SourceIP
	}
	fact("Event", spec.EventID)
	fact("Type", spec.Type)
	fact("Endpoint", fullName(event.Namespace, spec.Endpoint))
	fact("Provider", spec.Provider)
	fact("Received", received)
	fact("Body", size(spec.BodyBytes))
	fact("Request", spec.RequestID)
	fact("Name", event.Name)
	fact("State", string(event.Status.State))
}

func (a *app) describeDeliveries(event *eventsv1alpha1.WebhookEvent) {
	if len(event.Status.Deliveries) == 0 {
		return
	}
	a.printf("\nDeliveries that are not done:\n")
	t := &table{columns: columns("TARGET", "STATE", "ATTEMPTS", "WHEN", "LAST ERROR")}
	for _, d := range event.Status.Deliveries {
		t.add(targetName(d.Route), string(d.State), d.Attempts, a.when(&d), orNone(d.LastError))
	}
	_ = new(output).table(&indented{w: a.Out}, t)
}

// when says when something happens, or happened, to a delivery.
func (a *app) when(d *eventsv1alpha1.DeliveryStatus) string {
	switch {
	case d.DeadLetteredTime != nil:
		return "given up " + ago(a.now(), d.DeadLetteredTime.Time)
	case d.NextAttemptTime == nil:
		return none
	case d.NextAttemptTime.After(a.now()):
		return "next attempt in " + age(d.NextAttemptTime.Time, a.now())
	}
	return "due now"
}

// describeHistory shows what the records tell of an event. Who may see events need
// not see records.
func (a *app) describeHistory(ctx context.Context, event *eventsv1alpha1.WebhookEvent) error {
	s := scope{namespace: event.Namespace, endpoint: event.Spec.Endpoint}
	list, err := a.listRecords(ctx, s, fields.Set{fieldRecordEventID: event.Spec.EventID})
	if apierrors.IsForbidden(err) {
		a.printf("\nHistory: you may not list webhookrecords\n")
		return nil
	}
	if err != nil || len(list.Items) == 0 {
		return err
	}
	a.printf("\nHistory:\n")
	t := &table{columns: columns("TIME", "STATUS", "ATTEMPT", "TARGET", "CODE", "TOOK", "MESSAGE")}
	for i := range list.Items {
		r := &list.Items[i]
		t.add(r.Time.Local().Format(timeLayout), r.ProcessingStatus, numberOrNone(r.Attempt), orNone(r.Target), numberOrNone(r.StatusCode),
			took(r.DurationMS), orNone(r.ErrorMessage))
	}
	return new(output).table(&indented{w: a.Out}, t)
}

func (a *app) describePayload(payload *eventsv1alpha1.WebhookEventPayload) {
	a.printf("\nRequest:\n  %s%s\n", oneLine(payload.Method), requestOf(payload))
	a.printf("\nHeaders:\n")
	for _, name := range slices.Sorted(maps.Keys(payload.Headers)) {
		for _, value := range payload.Headers[name] {
			a.printf("  %s: %s\n", oneLine(name), oneLine(value))
		}
	}
	a.printf("\nBody:\n%s\n", readable(payload.Body))
}

// requestOf is what a request was sent to, as far as it is known.
func requestOf(payload *eventsv1alpha1.WebhookEventPayload) string {
	target := payload.URL
	if payload.Query != "" {
		target += "?" + payload.Query
	}
	if target == "" {
		return ""
	}
	return " " + oneLine(target)
}

// readable is a body for people: JSON in lines, text as it is, and nothing of what
// is neither.
func readable(body []byte) string {
	var pretty bytes.Buffer
	switch {
	case len(body) == 0:
		return "(empty)"
	case json.Indent(&pretty, body, "", "  ") == nil:
		return harmless(pretty.String())
	case utf8.Valid(body):
		return harmless(string(body))
	}
	return fmt.Sprintf("(%s that are no text: --body prints them as they are)", count(int64(len(body)), "byte"))
}

// took is how long something took, for tables.
func took(milliseconds int64) string {
	if milliseconds == 0 {
		return "<1ms"
	}
	return (time.Duration(milliseconds) * time.Millisecond).String()
}

// numberOrNone is a number, or the sign that there is none.
func numberOrNone(n int32) any {
	if n == 0 {
		return none
	}
	return n
}
