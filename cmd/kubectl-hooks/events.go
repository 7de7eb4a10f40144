package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
)

// defaultEvents is how many events are shown.
const defaultEvents = 50

type eventsOptions struct {
	output
	all   bool
	limit int
	types []string
	state string
}

func (a *app) eventsCommand() *cobra.Command {
	var o eventsOptions
	cmd := &cobra.Command{
		Use:   "events [ENDPOINT]",
		Short: "List the events that an endpoint received last, and what has become of them",
		Long: `List the events that an endpoint received last, the newest first, and what has
become of them. Without an ENDPOINT, those of all endpoints of the namespace.

How far back that goes is bounded. Dead letters are all there: see dead.`,
		Example: `kubectl hooks events stripe
kubectl hooks events billing/stripe --type 'invoice.*' --limit 10
kubectl hooks events stripe --state Retrying -o wide`,
		Args:              arguments(0, 1, "an ENDPOINT"),
		ValidArgsFunction: a.completeEndpoint,
		RunE:              runE(func(ctx context.Context, args []string) error { return a.events(ctx, args, &o) }),
	}
	scopeFlag(cmd, &o.all)
	a.typeFlag(cmd, &o.types)
	cmd.Flags().IntVar(&o.limit, "limit", defaultEvents, "at most so many `events`; 0: all that are known")
	cmd.Flags().StringVar(&o.state, "state", "", "only events in this `state`: "+strings.Join(stateNames, ", "))
	mustComplete(cmd, "state", cobra.FixedCompletions(stateNames, cobra.ShellCompDirectiveNoFileComp))
	o.addFlags(cmd, true)
	return cmd
}

func (a *app) events(ctx context.Context, args []string, o *eventsOptions) error {
	selectors, keep, err := o.selection()
	if err != nil {
		return err
	}
	s, err := a.scopeOf(ctx, args, o.all)
	if err != nil {
		return err
	}
	list, err := a.listEvents(ctx, s, selectors, keep)
	if err != nil {
		return err
	}
	if o.limit > 0 && len(list.Items) > o.limit {
		list.Items = list.Items[:o.limit]
	}
	if o.printer != nil {
		return o.object(a.Out, list)
	}
	if len(list.Items) == 0 {
		a.sayf("There are no such events %s.", s)
		return nil
	}
	return o.table(a.Out, a.eventTable(s, list))
}

// selection is what --state and --type mean.
func (o *eventsOptions) selection() (selectors fields.Set, keep func(*eventsv1alpha1.WebhookEvent) bool, err error) {
	if o.limit < 0 {
		return nil, nil, cli.Usagef("--limit=%d is no number of events: write 1 or more, or 0 for all", o.limit)
	}
	if o.state != "" {
		state, err := stateOf(o.state)
		if err != nil {
			return nil, nil, err
		}
		selectors = fields.Set{fieldEventState: state}
	}
	keep, err = typeFilter(o.types)
	return selectType(selectors, o.types), keep, err
}

// eventTable has a row for each event.
func (a *app) eventTable(s scope, list *eventsv1alpha1.WebhookEventList) *table {
	t := &table{columns: columns(s.columns("EVENT", "TYPE", "STATE", "RECEIVED", "ATTEMPTS", "+SIZE", "+SOURCE", "+NAME", "LAST ERROR")...)}
	for i := range list.Items {
		e := &list.Items[i]
		attempts, lastError := summary(e.Status.Deliveries)
		t.add(s.cells(e.Namespace, e.Spec.Endpoint, e.Spec.EventID, orNone(e.Spec.Type), string(e.Status.State), age(a.now(), e.Spec.ReceivedTime.Time),
			attempts, size(e.Spec.BodyBytes), orNone(e.Spec.SourceIP), e.Name, orNone(lastError))...)
	}
	return t
}

// summary is the most attempts of any delivery that is not done, and its last error.
func summary(deliveries []eventsv1alpha1.DeliveryStatus) (attempts any, lastError string) {
	attempts, most := any(none), int32(-1)
	for i := range deliveries {
		if d := &deliveries[i]; d.Attempts > most {
			most, attempts, lastError = d.Attempts, d.Attempts, d.LastError
		}
	}
	return attempts, lastError
}
