package controllers

import (
	"context"
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// observation is all that the API server has about an endpoint.
type observation struct {
	compile.Input
	// route is the Secret that holds the published route; nil: no route is published.
	route *corev1.Secret
}

// observe reads all that an endpoint depends on; nil: there is no such endpoint
// for this manager. It writes nothing.
func (r *WebhookEndpointReconciler) observe(ctx context.Context, name types.NamespacedName) (*observation, error) {
	if len(r.Namespaces) > 0 && !slices.Contains(r.Namespaces, name.Namespace) {
		return nil, nil //nolint:nilnil // a route of a namespace that was served before
	}
	endpoint, err := find(ctx, r.Client, name, &v1alpha1.WebhookEndpoint{})
	if endpoint == nil || err != nil || !r.serves(endpoint) {
		return nil, err
	}
	seen := &observation{Input: compile.Input{Endpoint: endpoint, Settings: r.Settings, Now: r.Now()}}
	if seen.Rivals, err = r.rivals(ctx, endpoint); err != nil {
		return nil, err
	}
	if err = r.observeQuota(ctx, &seen.Input); err != nil {
		return nil, err
	}
	if seen.route, err = r.observeRoute(ctx, name); err != nil {
		return nil, err
	}
	seen.Published = published(seen.route)
	if seen.Sender, err = r.Catalog.Find(ctx, endpoint.Spec.Provider); err != nil {
		return nil, err
	}
	if seen.Secret, err = r.observeSecret(ctx, endpoint, seen.Sender); err != nil {
		return nil, err
	}
	seen.Fetched = r.observeKeys(&seen.Input)
	if seen.Signing, err = r.observeSigning(ctx, endpoint); err != nil {
		return nil, err
	}
	// ConfigMaps are read from the API server, so that no cache holds all of the cluster's.
	if seen.Authorities, err = findAll[corev1.ConfigMap](ctx, r.Live, endpoint.Namespace, compile.AuthorityNames(endpoint)); err != nil {
		return nil, err
	}
	if seen.Services, err = findAll[corev1.Service](ctx, r.Client, endpoint.Namespace, compile.TargetServices(endpoint)); err != nil {
		return nil, err
	}
	alias := types.NamespacedName{Namespace: endpoint.Namespace, Name: route.ServiceName(endpoint.Name)}
	if seen.Alias, err = find(ctx, r.Client, alias, &corev1.Service{}); err != nil {
		return nil, err
	}
	return seen, nil
}

// observeRoute reads the Secret of the published route, from the API server if
// the cache doesn't have it: it may have been made just now, or have lost its
// label.
func (r *WebhookEndpointReconciler) observeRoute(ctx context.Context, endpoint types.NamespacedName) (*corev1.Secret, error) {
	name := types.NamespacedName{Namespace: r.RouteNamespace, Name: route.SecretName(endpoint.Namespace, endpoint.Name)}
	secret, err := find(ctx, r.Routes, name, &corev1.Secret{})
	if secret != nil || err != nil {
		return secret, err
	}
	return find(ctx, r.Live, name, &corev1.Secret{})
}

// published is the route that a Secret holds. It is nil if the route can't be read, or if
// somebody else wrote part of it: a secret that others put there must not pass for one
// that was valid before.
func published(secret *corev1.Secret) *route.Route {
	if secret == nil || !ours(secret) {
		return nil
	}
	decoded, err := route.Decode(secret.Data)
	if err != nil {
		return nil
	}
	return &decoded
}

// ours reports whether the manager wrote every entry of a Secret: whoever else
// changes one becomes its owner instead.
func ours(secret *corev1.Secret) bool {
	i := slices.IndexFunc(secret.ManagedFields, func(fields metav1.ManagedFieldsEntry) bool {
		return fields.Manager == string(FieldOwner) && fields.Operation == metav1.ManagedFieldsOperationApply && fields.FieldsV1 != nil
	})
	if i < 0 {
		return false
	}
	var owned struct {
		Data map[string]any `json:"f:data"`
	}
	if err := json.Unmarshal(secret.ManagedFields[i].FieldsV1.GetRawBytes(), &owned); err != nil {
		return false
	}
	for entry := range secret.Data {
		if _, ok := owned.Data["f:"+entry]; !ok {
			return false
		}
	}
	return true
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
		if other.Name != endpoint.Name && r.serves(&other) {
			rivals = append(rivals, other)
		}
	}
	return rivals, nil
}

// serves reports whether an endpoint is of this manager's class and is not being deleted:
// what is made for one that is would only delay its deletion.
func (r *WebhookEndpointReconciler) serves(endpoint *v1alpha1.WebhookEndpoint) bool {
	return endpoint.Spec.ClassName == r.ClassName && !isDeleted(endpoint)
}

// observeQuota reads the quota of the namespace, and counts the endpoints only if there is
// a limit.
func (r *WebhookEndpointReconciler) observeQuota(ctx context.Context, in *compile.Input) error {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	namespace, err := find(ctx, r.Client, types.NamespacedName{Name: in.Endpoint.Namespace}, namespace)
	if err != nil {
		return err
	}
	in.Quota = r.Quota
	if namespace != nil {
		in.Quota = compile.QuotaOf(namespace.Annotations, r.Quota)
	}
	if in.Quota.MaxEndpoints == 0 {
		return nil
	}
	others, err := r.served(ctx, in.Endpoint.Namespace)
	in.Older = compile.Precede(in.Endpoint, others)
	return err
}

// served are the endpoints of a namespace that this manager serves.
func (r *WebhookEndpointReconciler) served(ctx context.Context, namespace string) ([]v1alpha1.WebhookEndpoint, error) {
	var list v1alpha1.WebhookEndpointList
	// The items are only looked at.
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(e v1alpha1.WebhookEndpoint) bool { return !r.serves(&e) }), nil
}

// isDeleted reports whether an object is being deleted.
func isDeleted(object client.Object) bool { return !object.GetDeletionTimestamp().IsZero() }

// observeSecret reads the Secret of the provider.
func (r *WebhookEndpointReconciler) observeSecret(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint, sender *provider.Sender) (compile.SecretFacts, error) {
	ref := endpoint.Spec.SecretRef
	if ref == nil {
		return compile.SecretFacts{}, nil
	}
	name := types.NamespacedName{Namespace: endpoint.Namespace, Name: ref.Name}
	return r.secretFacts(ctx, name, compile.SecretEntries(endpoint, sender))
}

// observeSigning reads the Secrets with which events are signed.
func (r *WebhookEndpointReconciler) observeSigning(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint) (map[string]compile.SecretFacts, error) {
	facts := map[string]compile.SecretFacts{}
	for name, entries := range compile.SigningEntries(endpoint) {
		var err error
		if facts[name], err = r.secretFacts(ctx, types.NamespacedName{Namespace: endpoint.Namespace, Name: name}, entries); err != nil {
			return nil, err
		}
	}
	return facts, nil
}

// secretFacts reads a Secret from the API server, and keeps only the entries that
// the endpoint uses.
func (r *WebhookEndpointReconciler) secretFacts(ctx context.Context, name types.NamespacedName, entries []string) (compile.SecretFacts, error) {
	secret, err := find(ctx, r.Live, name, &corev1.Secret{})
	if secret == nil || err != nil {
		return compile.SecretFacts{}, err
	}
	facts := compile.SecretFacts{Found: true, Entries: map[string][]byte{}}
	for _, entry := range entries {
		if value, ok := secret.Data[entry]; ok {
			facts.Entries[entry] = value
		}
	}
	return facts, nil
}

// observeKeys asks for the keys that senders publish, and never waits for them.
func (r *WebhookEndpointReconciler) observeKeys(in *compile.Input) map[verify.FetchSource]compile.Document {
	sources := compile.KeySources(in.Endpoint, in.Sender, in.Secret)
	documents := make(map[verify.FetchSource]compile.Document, len(sources))
	for source, state := range r.Keys.Use(client.ObjectKeyFromObject(in.Endpoint), sources...) {
		documents[source] = compile.Document(state)
	}
	return documents
}

// find gets an object; nil: there is no such object.
func find[T client.Object](ctx context.Context, reader client.Reader, name types.NamespacedName, into T) (T, error) {
	var none T
	if err := reader.Get(ctx, name, into); err != nil {
		return none, client.IgnoreNotFound(err)
	}
	return into, nil
}

// findAll gets those of the named objects of a namespace that there are, by name.
func findAll[T any, P interface {
	*T
	client.Object
}](ctx context.Context, reader client.Reader, namespace string, names []string) (map[string]P, error) {
	all := map[string]P{}
	for _, name := range names {
		object, err := find(ctx, reader, types.NamespacedName{Namespace: namespace, Name: name}, P(new(T)))
		if err != nil {
			return nil, err
		}
		if object != nil {
			all[name] = object
		}
	}
	return all, nil
}
