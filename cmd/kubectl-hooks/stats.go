package main

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/api/v1alpha1"
)

type statsOptions struct {
	output
	all bool
}

func (a *app) statsCommand() *cobra.Command {
	var o statsOptions
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
		ValidArgsFunction: a.completeEndpoint,
		RunE:              runE(func(ctx context.Context, args []string) error { return a.stats(ctx, args, &o) }),
	}
	scopeFlag(cmd, &o.all)
	o.addFlags(cmd, true)
	return cmd
}

func (a *app) stats(ctx context.Context, args []string, o *statsOptions) error {
	s, err := a.scopeOf(ctx, args, o.all)
	if err != nil {
		return err
	}
	list, err := a.queues(ctx, s)
	if err != nil {
		return err
	}
	if o.printer != nil && !s.several() {
		return o.object(a.Out, &list.Items[0])
	}
	if o.printer != nil {
		return o.object(a.Out, list)
	}
	if len(list.Items) == 0 {
		a.sayf("There are no endpoints %s.", s)
		return nil
	}
	if !s.several() {
		s.endpoint = "" // the table names it all the same
	}
	return o.table(a.Out, a.queueTable(s, list, a.endpointsOf(ctx, s)))
}

// queues gets the queue of an endpoint, or lists those of several.
func (a *app) queues(ctx context.Context, s scope) (*eventsv1alpha1.WebhookQueueList, error) {
	list := &eventsv1alpha1.WebhookQueueList{}
	if s.several() {
		return list, a.client.List(ctx, list, client.InNamespace(s.namespace))
	}
	list.Items = make([]eventsv1alpha1.WebhookQueue, 1)
	return list, a.client.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: s.endpoint}, &list.Items[0])
}

// endpointsOf are the endpoints, by namespace/name, as far as the caller may see them.
func (a *app) endpointsOf(ctx context.Context, s scope) map[string]*v1alpha1.WebhookEndpoint {
	var list v1alpha1.WebhookEndpointList
	if err := a.client.List(ctx, &list, client.InNamespace(s.namespace)); err != nil {
		return nil
	}
	found := map[string]*v1alpha1.WebhookEndpoint{}
	for i := range list.Items {
		found[fullName(list.Items[i].Namespace, list.Items[i].Name)] = &list.Items[i]
	}
	return found
}

func (a *app) queueTable(s scope, list *eventsv1alpha1.WebhookQueueList, endpoints map[string]*v1alpha1.WebhookEndpoint) *table {
	t := &table{columns: columns(s.columns("READY", "PAUSED", "PENDING", "HELD", "DEAD", "SIZE", "LAST RECEIVED", "LAST DELIVERED", "LAST REJECTED", "+PROVIDER", "+URL")...)}
	for i := range list.Items {
		q := &list.Items[i]
		ready, paused, provider, url := none, none, none, none
		if e := endpoints[fullName(q.Namespace, q.Name)]; e != nil {
			ready, paused, provider, url = readiness(e), "no", e.Spec.Provider, orNone(e.Status.URL)
			if e.Spec.Paused {
				paused = "yes"
			}
		}
		t.add(s.cells(q.Namespace, q.Name, ready, paused, q.Pending, q.Held, q.DeadLetters, size(q.Bytes),
			ageOf(a.now(), q.LastReceivedTime), ageOf(a.now(), q.LastDeliveredTime), ageOf(a.now(), q.LastRejectedTime), provider, url)...)
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
