package eventsapi

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
)

// listQueues answers for all endpoints that there are.
func (a *api) listQueues(ctx context.Context, q *query) (runtime.Object, error) {
	s, err := parseSelector(q.info.FieldSelector)
	if err != nil {
		return nil, err
	}
	name, err := q.name(s)
	if err != nil {
		return nil, err
	}
	items, err := a.queues(ctx, q.info.Namespace, name)
	return &eventsv1alpha1.WebhookQueueList{TypeMeta: typeMeta(kindQueue + listSuffix), Items: items}, err
}

// getQueue answers for one endpoint.
func (a *api) getQueue(ctx context.Context, q *query) (runtime.Object, error) {
	found, err := a.queues(ctx, q.info.Namespace, q.info.Name)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, notFound(eventsv1alpha1.ResourceWebhookQueues, q.info.Name)
	}
	return &found[0], nil
}

// queues reads those of a namespace; an empty name means all.
func (a *api) queues(ctx context.Context, namespace, name string) ([]eventsv1alpha1.WebhookQueue, error) {
	all, err := a.endpoints(ctx, namespace)
	if err != nil {
		return nil, err
	}
	endpoints := make([]*v1alpha1.WebhookEndpoint, 0, len(all))
	asked := make([]string, 0, len(all))
	for i := range all {
		if name == "" || name == all[i].Name {
			endpoints = append(endpoints, &all[i])
			asked = append(asked, endpointRef{all[i].Namespace, all[i].Name}.String())
		}
	}
	queues := make([]eventsv1alpha1.WebhookQueue, len(endpoints))
	usage, err := a.Store.Usage(ctx, asked)
	if err != nil {
		return queues[:0], storeError(ctx, err)
	}
	traffic, err := a.Store.Traffic(ctx, asked)
	if err != nil {
		return queues[:0], storeError(ctx, err)
	}
	for i, endpoint := range endpoints {
		queues[i] = queueOf(endpoint, usage[i], traffic[asked[i]])
	}
	return queues, nil
}

func queueOf(endpoint *v1alpha1.WebhookEndpoint, u store.Usage, t store.Traffic) eventsv1alpha1.WebhookQueue {
	return eventsv1alpha1.WebhookQueue{
		TypeMeta:   typeMeta(kindQueue),
		ObjectMeta: metav1.ObjectMeta{Namespace: endpoint.Namespace, Name: endpoint.Name, CreationTimestamp: endpoint.CreationTimestamp},
		Pending:    u.Pending, Held: u.Held, DeadLetters: u.Dead, Bytes: u.Bytes,
		LastReceivedTime: timeOf(t.LastReceived), LastDeliveredTime: timeOf(t.LastDelivered), LastRejectedTime: timeOf(t.LastRejected),
	}
}
