package main

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

type deadOptions struct {
	output
	all   bool
	types []string
}

func (a *app) deadCommand() *cobra.Command {
	var o deadOptions
	cmd := &cobra.Command{
		Use:   "dead [ENDPOINT]",
		Short: "List the dead letters of an endpoint: what was given up",
		Long: `List the dead letters of an endpoint: deliveries that were given up, after all
attempts or because they were too old, and are kept. Without an ENDPOINT, those of
all endpoints of the namespace.

replay delivers them again, purge removes them.`,
		Example: `kubectl hooks dead
kubectl hooks dead stripe --type 'invoice.*'
kubectl hooks dead -A -o wide`,
		Args:              arguments(0, 1, "an ENDPOINT"),
		ValidArgsFunction: a.completeEndpoint,
		RunE:              runE(func(ctx context.Context, args []string) error { return a.dead(ctx, args, &o) }),
	}
	scopeFlag(cmd, &o.all)
	a.typeFlag(cmd, &o.types)
	o.addFlags(cmd, true)
	return cmd
}

func (a *app) dead(ctx context.Context, args []string, o *deadOptions) error {
	keep, err := typeFilter(o.types)
	if err != nil {
		return err
	}
	s, err := a.scopeOf(ctx, args, o.all)
	if err != nil {
		return err
	}
	list, err := a.listDead(ctx, s, o.types, keep)
	if err != nil {
		return err
	}
	if o.printer != nil {
		return o.object(a.Out, list)
	}
	if len(list.Items) == 0 {
		a.sayf("There are no such dead letters %s.", s)
		return nil
	}
	return o.table(a.Out, a.deadTable(s, list))
}

// listDead lists events of which a delivery was given up.
func (a *app) listDead(ctx context.Context, s scope, types []string, keep func(*eventsv1alpha1.WebhookEvent) bool) (*eventsv1alpha1.WebhookEventList, error) {
	return a.listEvents(ctx, s, selectType(fields.Set{fieldEventState: string(eventsv1alpha1.StateDeadLettered)}, types), keep)
}

// deadTable has a row for each delivery that was given up.
func (a *app) deadTable(s scope, list *eventsv1alpha1.WebhookEventList) *table {
	t := &table{columns: columns(s.columns("EVENT", "TYPE", "TARGET", "RECEIVED", "GIVEN UP", "ATTEMPTS", "+SIZE", "+NAME", "LAST ERROR")...)}
	for i := range list.Items {
		e := &list.Items[i]
		for _, d := range deadDeliveries(e) {
			t.add(s.cells(e.Namespace, e.Spec.Endpoint, e.Spec.EventID, orNone(e.Spec.Type), targetName(d.Route), age(a.now(), e.Spec.ReceivedTime.Time),
				ageOf(a.now(), d.DeadLetteredTime), d.Attempts, size(e.Spec.BodyBytes), e.Name, orNone(d.LastError))...)
		}
	}
	return t
}

// deadDeliveries are the deliveries of an event that were given up.
func deadDeliveries(e *eventsv1alpha1.WebhookEvent) []eventsv1alpha1.DeliveryStatus {
	var found []eventsv1alpha1.DeliveryStatus
	for _, d := range e.Status.Deliveries {
		if d.State == eventsv1alpha1.StateDeadLettered {
			found = append(found, d)
		}
	}
	return found
}
