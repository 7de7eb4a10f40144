package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/cli-runtime/pkg/printers"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// timeLayout is how moments are shown: to the millisecond, in local time.
const timeLayout = "2006-01-02 15:04:05.000 MST"

type showCommand struct {
	*app
	output
	receivedBy  string
	withPayload bool
	bodyOnly    bool
}

func newShowCommand(a *app) *cobra.Command {
	c := &showCommand{app: a}
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
		ValidArgsFunction: a.completeEvent(),
		RunE:              runE(c.run),
	}
	cmd.Flags().StringVar(&c.receivedBy, "endpoint", "", "the `endpoint` that received the event, where several have one of that id")
	mustComplete(cmd, "endpoint", a.completer(func(ctx context.Context, _ []string, typed string) []string {
		return a.endpointCandidates(ctx, typed)
	}))
	cmd.Flags().BoolVar(&c.withPayload, "payload", false, "show headers and body, too; with -o, print the WebhookEventPayload")
	cmd.Flags().BoolVar(&c.bodyOnly, "body", false, "print nothing but the body, as it came")
	c.addFlags(cmd, false)
	return cmd
}

func (c *showCommand) run(ctx context.Context, args []string) error {
	if c.bodyOnly && c.printer != nil {
		return cli.Usagef("--body prints the body and nothing else: leave out --output")
	}
	var where []string
	if c.receivedBy != "" {
		where = []string{c.receivedBy}
	}
	s, err := c.scopeOf(ctx, where, false)
	if err != nil {
		return err
	}
	event, err := c.event(ctx, args[0], s)
	if err != nil {
		return err
	}
	var payload *eventsv1alpha1.WebhookEventPayload
	if c.withPayload || c.bodyOnly {
		if payload, err = c.payload(ctx, event); err != nil {
			return err
		}
	}
	switch {
	case c.bodyOnly:
		_, err = c.Out.Write(payload.Body)
		return err
	case c.printer != nil && payload != nil:
		return c.object(c.Out, payload)
	case c.printer != nil:
		return c.object(c.Out, event)
	}
	return c.describe(ctx, event, payload)
}

// payload gets headers and body of an event.
func (c *showCommand) payload(ctx context.Context, event *eventsv1alpha1.WebhookEvent) (*eventsv1alpha1.WebhookEventPayload, error) {
	payload := &eventsv1alpha1.WebhookEventPayload{}
	err := c.client.SubResource(eventsv1alpha1.SubresourcePayload).Get(ctx, event, payload)
	if apierrors.IsNotFound(err) && !isMissingAPI(err) {
		return nil, fmt.Errorf("the payload of the event %s is gone: it is kept until all of its deliveries are done", human.OneLine(event.Spec.EventID))
	}
	return payload, err
}

// describe shows an event to people. payload may be nil.
func (c *showCommand) describe(ctx context.Context, event *eventsv1alpha1.WebhookEvent, payload *eventsv1alpha1.WebhookEventPayload) error {
	c.describeFacts(event)
	c.describeDeliveries(event)
	if err := c.describeHistory(ctx, event); err != nil {
		return err
	}
	if payload != nil {
		c.describePayload(payload)
	}
	if endpoint := fullName(event.Namespace, event.Spec.Endpoint); event.Status.State == eventsv1alpha1.StateDeadLettered {
		c.sayf("\nTo deliver it again: %s replay %s %s", c.name, endpoint, human.ShellWord(event.Spec.EventID))
	}
	return nil
}

func (c *showCommand) describeFacts(event *eventsv1alpha1.WebhookEvent) {
	spec := &event.Spec
	w := printers.GetNewTabWriter(c.Out)
	defer func() { _ = w.Flush() }()
	fact := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(w, "%s:\t%s\n", name, human.OneLine(value))
		}
	}
	received := fmt.Sprintf("%s (%s)", spec.ReceivedTime.Local().Format(timeLayout), human.Ago(c.now(), spec.ReceivedTime.Time))
	if spec.SourceIP != "" {
		received += " from " + spec.SourceIP
	}
	fact("Event", spec.EventID)
	fact("Type", spec.Type)
	fact("Endpoint", fullName(event.Namespace, spec.Endpoint))
	fact("Provider", spec.Provider)
	fact("Received", received)
	fact("Body", human.Size(spec.BodyBytes))
	fact("Request", spec.RequestID)
	fact("Name", event.Name)
	fact("State", string(event.Status.State))
}

func (c *showCommand) describeDeliveries(event *eventsv1alpha1.WebhookEvent) {
	if len(event.Status.Deliveries) == 0 {
		return
	}
	c.printf("\nDeliveries that are not done:\n")
	t := &table{columns: columns("TARGET", "STATE", "ATTEMPTS", "WHEN", "LAST ERROR")}
	for _, d := range event.Status.Deliveries {
		t.add(targetName(d.Route), string(d.State), d.Attempts, c.when(&d), human.OrNone(d.LastError))
	}
	_ = new(output).table(&indented{w: c.Out}, t)
}

// when says when something happens, or happened, to a delivery.
func (c *showCommand) when(d *eventsv1alpha1.DeliveryStatus) string {
	switch {
	case d.DeadLetteredTime != nil:
		return "given up " + human.Ago(c.now(), d.DeadLetteredTime.Time)
	case d.NextAttemptTime == nil:
		return human.None
	case d.NextAttemptTime.After(c.now()):
		return "next attempt in " + human.Age(d.NextAttemptTime.Time, c.now())
	}
	return "due now"
}

// describeHistory shows what the records tell of an event. Who may see events need
// not see records.
func (c *showCommand) describeHistory(ctx context.Context, event *eventsv1alpha1.WebhookEvent) error {
	s := scope{namespace: event.Namespace, endpoint: event.Spec.Endpoint}
	list, err := c.listRecords(ctx, s, fields.Set{fieldRecordEventID: event.Spec.EventID})
	if apierrors.IsForbidden(err) {
		c.printf("\nHistory: you may not list webhookrecords\n")
		return nil
	}
	if err != nil || len(list.Items) == 0 {
		return err
	}
	c.printf("\nHistory:\n")
	t := &table{columns: columns("TIME", "STATUS", "ATTEMPT", "TARGET", "CODE", "TOOK", "MESSAGE")}
	for i := range list.Items {
		r := &list.Items[i]
		t.add(r.Time.Local().Format(timeLayout), r.ProcessingStatus, numberOrNone(r.Attempt), human.OrNone(r.Target), numberOrNone(r.StatusCode),
			human.Took(r.DurationMS), human.OrNone(r.ErrorMessage))
	}
	return new(output).table(&indented{w: c.Out}, t)
}

func (c *showCommand) describePayload(payload *eventsv1alpha1.WebhookEventPayload) {
	c.printf("\nRequest:\n  %s%s\n", human.OneLine(payload.Method), requestOf(payload))
	c.printf("\nHeaders:\n")
	for _, name := range slices.Sorted(maps.Keys(payload.Headers)) {
		for _, value := range payload.Headers[name] {
			c.printf("  %s: %s\n", human.OneLine(name), human.OneLine(value))
		}
	}
	c.printf("\nBody:\n%s\n", human.Readable(payload.Body))
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
	return " " + human.OneLine(target)
}

// numberOrNone is a number, or the sign that there is none.
func numberOrNone(n int32) any {
	if n == 0 {
		return human.None
	}
	return n
}
