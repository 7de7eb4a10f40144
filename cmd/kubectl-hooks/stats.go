package main

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

type statsCommand struct {
	*app
	output
	all bool
}

func newStatsCommand(a *app) *cobra.Command {
	c := &statsCommand{app: a}
	cmd := &cobra.Command{
		Use:   "stats [ENDPOINT]",
		Short: "Show what endpoints have stored, and when something last came and went",
		Long: `Show what endpoints have stored, over all receivers, and when something last came
and went. HELD is the part of PENDING that waits for a target which takes nothing, or
for the end of a pause.`,
		Example: `kubectl hooks stats
kubectl hooks stats -A
kubectl hooks stats stripe -o yaml`,
		Args:              arguments(0, 1, "an ENDPOINT"),
		ValidArgsFunction: a.completeEndpoint(),
		RunE:              runE(c.run),
	}
	scopeFlag(cmd, &c.all)
	c.addFlags(cmd, true)
	return cmd
}

func (c *statsCommand) run(ctx context.Context, args []string) error {
	s, err := c.scopeOf(ctx, args, c.all)
	if err != nil {
		return err
	}
	list, err := c.queues(ctx, s)
	if err != nil {
		return err
	}
	if c.printer != nil && !s.several() {
		return c.object(c.Out, &list.Items[0])
	}
	if c.printer != nil {
		return c.object(c.Out, list)
	}
	if len(list.Items) == 0 {
		c.sayf("There are no endpoints %s.", s)
		return nil
	}
	if !s.several() {
		s.endpoint = "" // the table names it all the same
	}
	return c.table(c.Out, c.queueTable(s, list, c.endpointsOf(ctx, s)))
}

// queues gets the queue of an endpoint, or lists those of several.
func (c *statsCommand) queues(ctx context.Context, s scope) (*eventsv1alpha1.WebhookQueueList, error) {
	list := &eventsv1alpha1.WebhookQueueList{}
	if s.several() {
		return list, c.client.List(ctx, list, client.InNamespace(s.namespace))
	}
	list.Items = make([]eventsv1alpha1.WebhookQueue, 1)
	return list, c.client.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: s.endpoint}, &list.Items[0])
}

// endpointsOf are the endpoints, by namespace/name, as far as the caller may see them.
func (c *statsCommand) endpointsOf(ctx context.Context, s scope) map[string]*v1alpha1.WebhookEndpoint {
	var list v1alpha1.WebhookEndpointList
	if err := c.client.List(ctx, &list, client.InNamespace(s.namespace)); err != nil {
		return nil
	}
	found := map[string]*v1alpha1.WebhookEndpoint{}
	for i := range list.Items {
		found[fullName(list.Items[i].Namespace, list.Items[i].Name)] = &list.Items[i]
	}
	return found
}

func (c *statsCommand) queueTable(s scope, list *eventsv1alpha1.WebhookQueueList, endpoints map[string]*v1alpha1.WebhookEndpoint) *table {
	t := &table{columns: columns(s.columns("READY", "PAUSED", "PENDING", "HELD", "DEAD", "SIZE", "LAST RECEIVED", "LAST DELIVERED", "LAST REJECTED", "+PROVIDER", "+URL")...)}
	for i := range list.Items {
		q := &list.Items[i]
		ready, paused, provider, url := human.None, human.None, human.None, human.None
		if e := endpoints[fullName(q.Namespace, q.Name)]; e != nil {
			ready, paused, provider, url = readiness(e), "no", e.Spec.Provider, human.OrNone(e.Status.URL)
			if e.Spec.Paused {
				paused = "yes"
			}
		}
		t.add(s.cells(q.Namespace, q.Name, ready, paused, q.Pending, q.Held, q.DeadLetters, human.Size(q.Bytes),
			human.AgeOf(c.now(), q.LastReceivedTime), human.AgeOf(c.now(), q.LastDeliveredTime), human.AgeOf(c.now(), q.LastRejectedTime), provider, url)...)
	}
	return t
}

// readiness is the condition Ready in a word: yes, or why not.
func readiness(endpoint *v1alpha1.WebhookEndpoint) string {
	condition := meta.FindStatusCondition(endpoint.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case condition == nil:
		return "unknown"
	case condition.Status == "True":
		return "yes"
	}
	return condition.Reason
}
