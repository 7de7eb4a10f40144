package main

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

type deadCommand struct {
	*app
	output
	all   bool
	types []string
}

func newDeadCommand(a *app) *cobra.Command {
	c := &deadCommand{app: a}
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
		ValidArgsFunction: a.completeEndpoint(),
		RunE:              runE(c.run),
	}
	scopeFlag(cmd, &c.all)
	a.typeFlag(cmd, &c.types)
	c.addFlags(cmd, true)
	return cmd
}

func (c *deadCommand) run(ctx context.Context, args []string) error {
	keep, err := typeFilter(c.types)
	if err != nil {
		return err
	}
	s, err := c.scopeOf(ctx, args, c.all)
	if err != nil {
		return err
	}
	list, err := c.listDead(ctx, s, c.types, keep)
	if err != nil {
		return err
	}
	if c.printer != nil {
		return c.object(c.Out, list)
	}
	if len(list.Items) == 0 {
		c.sayf("There are no such dead letters %s.", s)
		return nil
	}
	return c.table(c.Out, c.deadTable(s, list))
}

// listDead lists events of which a delivery was given up.
func (a *app) listDead(ctx context.Context, s scope, types []string, keep func(*eventsv1alpha1.WebhookEvent) bool) (*eventsv1alpha1.WebhookEventList, error) {
	return a.listEvents(ctx, s, selectType(fields.Set{fieldEventState: string(eventsv1alpha1.StateDeadLettered)}, types), keep)
}

// deadTable has a row for each delivery that was given up.
func (c *deadCommand) deadTable(s scope, list *eventsv1alpha1.WebhookEventList) *table {
	t := &table{columns: columns(s.columns("EVENT", "TYPE", "TARGET", "RECEIVED", "GIVEN UP", "ATTEMPTS", "+SIZE", "+NAME", "LAST ERROR")...)}
	for i := range list.Items {
		e := &list.Items[i]
		for _, d := range deadDeliveries(e) {
			t.add(s.cells(e.Namespace, e.Spec.Endpoint, e.Spec.EventID, human.OrNone(e.Spec.Type), targetName(d.Route), human.Age(c.now(), e.Spec.ReceivedTime.Time),
				human.AgeOf(c.now(), d.DeadLetteredTime), d.Attempts, human.Size(e.Spec.BodyBytes), e.Name, human.OrNone(d.LastError))...)
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
