package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
)

// observe reads all that an endpoint depends on; nil: there is no such endpoint,
// or it is being deleted: then whatever is made for it would only hold the
// deletion up. It writes nothing.
func (r *WebhookEndpointReconciler) observe(ctx context.Context, name types.NamespacedName) (*compile.Input, error) {
	endpoint, err := find(ctx, r.Client, name, &v1alpha1.WebhookEndpoint{})
	if endpoint == nil || err != nil || isDeleted(endpoint) {
		return nil, err
	}
	in := &compile.Input{Endpoint: endpoint, Settings: r.Settings}
	sibling := func(name string) types.NamespacedName {
		return types.NamespacedName{Namespace: endpoint.Namespace, Name: name}
	}
	if in.Rivals, err = r.rivals(ctx, endpoint); err != nil {
		return nil, err
	}
	if in.Sender, err = r.Catalog.Find(ctx, endpoint.Spec.Provider); err != nil {
		return nil, err
	}
	if in.Secret, err = r.observeSecret(ctx, sibling(endpoint.Spec.SecretRef.Name), endpoint.Spec.SecretRef.Key); err != nil {
		return nil, err
	}
	if in.Service, err = find(ctx, r.Client, sibling(endpoint.Spec.Target.Service.Name), &corev1.Service{}); err != nil {
		return nil, err
	}
	if in.Alias, err = find(ctx, r.Client, sibling(route.ServiceName(endpoint.Name)), &corev1.Service{}); err != nil {
		return nil, err
	}
	return in, nil
}

// rivals are the other endpoints that claim the path of an endpoint.
func (r *WebhookEndpointReconciler) rivals(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint) ([]v1alpha1.WebhookEndpoint, error) {
	var list v1alpha1.WebhookEndpointList
	err := r.Client.List(ctx, &list, client.InNamespace(endpoint.Namespace), client.MatchingFields{byPath: compile.Path(endpoint)})
	if err != nil {
		return nil, err
	}
	rivals := list.Items[:0]
	for _, other := range list.Items {
		if other.Name != endpoint.Name && !isDeleted(&other) {
			rivals = append(rivals, other)
		}
	}
	return rivals, nil
}

// isDeleted reports whether an object is on its way out.
func isDeleted(object client.Object) bool { return !object.GetDeletionTimestamp().IsZero() }

// observeSecret reads a Secret from the API server, and keeps only the entry.
func (r *WebhookEndpointReconciler) observeSecret(ctx context.Context, name types.NamespacedName, key string) (compile.SecretFacts, error) {
	secret, err := find(ctx, r.Live, name, &corev1.Secret{})
	if secret == nil || err != nil {
		return compile.SecretFacts{}, err
	}
	value, ok := secret.Data[key]
	return compile.SecretFacts{Found: true, HasKey: ok, Value: value}, nil
}

// find gets an object; nil: there is none.
func find[T client.Object](ctx context.Context, reader client.Reader, name types.NamespacedName, into T) (T, error) {
	var none T
	if err := reader.Get(ctx, name, into); err != nil {
		return none, client.IgnoreNotFound(err)
	}
	return into, nil
}
