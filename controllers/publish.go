package controllers

import (
	"context"
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
)

// The recommended label of Kubernetes for what the manager made.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "sallyport"
)

// publish writes the route and the in-cluster Service of an endpoint, if they differ from
// what is there. It returns the resourceVersion of the route; "" without a route.
func (r *WebhookEndpointReconciler) publish(ctx context.Context, in *observation, result compile.Result) (string, error) {
	if result.Route == nil {
		return "", r.withdraw(ctx, client.ObjectKeyFromObject(in.Endpoint))
	}
	version, err := r.publishRoute(ctx, result.Route, in.route)
	if err != nil {
		return "", fmt.Errorf("publish the route: %w", err)
	}
	if result.Alias != nil {
		if err := r.publishAlias(ctx, in.Endpoint, result.Alias, in.Alias); err != nil {
			return version, fmt.Errorf("publish the Service %s: %w", result.Alias.Name, err)
		}
	}
	return version, nil
}

// publishRoute replaces the route that was observed, and no other, which is a conflict:
// only the published route remembers previous secrets, and a newer one may know a secret
// that the compiled route lacks.
func (r *WebhookEndpointReconciler) publishRoute(ctx context.Context, compiled *route.Route, current *corev1.Secret) (string, error) {
	data, err := route.Encode(*compiled)
	if err != nil {
		return "", err
	}
	labels, annotations := route.Labels(compiled.Endpoint), route.Annotations(*compiled)
	labels[labelManagedBy] = managedBy
	if current != nil && ours(current) && reflect.DeepEqual(current.Data, data) && containsAll(current.Labels, labels) && containsAll(current.Annotations, annotations) {
		return current.ResourceVersion, nil
	}
	secret := applycore.Secret(route.SecretName(compiled.Endpoint.Namespace, compiled.Endpoint.Name), r.RouteNamespace).
		WithLabels(labels).WithAnnotations(annotations).WithType(route.SecretType).WithData(data)
	if current != nil {
		secret.WithResourceVersion(current.ResourceVersion)
	}
	if err := r.Client.Apply(ctx, secret, FieldOwner, client.ForceOwnership); err != nil {
		return "", err
	}
	return r.dropForeign(ctx, secret, data)
}

// dropForeign removes the entries of a route Secret that are not in data, and returns the
// resourceVersion after that. Server-side apply keeps entries of other owners, and receivers
// refuse a route Secret with entries that the route doesn't mention.
func (r *WebhookEndpointReconciler) dropForeign(ctx context.Context, applied *applycore.SecretApplyConfiguration, data map[string][]byte) (string, error) {
	before := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: *applied.Namespace, Name: *applied.Name, ResourceVersion: *applied.ResourceVersion},
		Data:       applied.Data,
	}
	cleaned := before.DeepCopy()
	maps.DeleteFunc(cleaned.Data, func(entry string, _ []byte) bool { return data[entry] == nil })
	if len(cleaned.Data) == len(before.Data) {
		return before.ResourceVersion, nil
	}
	err := r.Client.Patch(ctx, cleaned, client.MergeFrom(before), FieldOwner)
	return cleaned.ResourceVersion, err
}

// publishAlias writes the in-cluster Service. It can't take over a Service that
// somebody else made since the endpoint was observed: creating fails if there is
// one, and applying is bound to the UID of the one that was seen.
func (r *WebhookEndpointReconciler) publishAlias(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint, alias *compile.Alias, current *corev1.Service) error {
	if current == nil {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: endpoint.Namespace, Name: alias.Name, Labels: aliasLabels(endpoint),
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(endpoint, endpointKind)},
			},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: alias.Host},
		}
		return r.Client.Create(ctx, service, FieldOwner)
	}
	if current.Spec.Type == corev1.ServiceTypeExternalName && current.Spec.ExternalName == alias.Host && containsAll(current.Labels, aliasLabels(endpoint)) {
		return nil
	}
	service := applycore.Service(alias.Name, endpoint.Namespace).
		WithUID(current.UID).
		WithLabels(aliasLabels(endpoint)).
		WithOwnerReferences(ownedBy(endpoint)).
		WithSpec(applycore.ServiceSpec().WithType(corev1.ServiceTypeExternalName).WithExternalName(alias.Host))
	return r.Client.Apply(ctx, service, FieldOwner, client.ForceOwnership)
}

func aliasLabels(endpoint *v1alpha1.WebhookEndpoint) map[string]string {
	return map[string]string{labelManagedBy: managedBy, route.LabelEndpointName: endpoint.Name}
}

// withdraw deletes the route of an endpoint. The Service goes with its owner.
func (r *WebhookEndpointReconciler) withdraw(ctx context.Context, endpoint types.NamespacedName) error {
	name := types.NamespacedName{Namespace: r.RouteNamespace, Name: route.SecretName(endpoint.Namespace, endpoint.Name)}
	current, err := find(ctx, r.Routes, name, &corev1.Secret{})
	if err != nil || current == nil {
		return err
	}
	return client.IgnoreNotFound(r.Client.Delete(ctx, current))
}

// endpointKind is the kind of the owner of what is made for an endpoint.
var endpointKind = v1alpha1.SchemeGroupVersion.WithKind("WebhookEndpoint")

func ownedBy(endpoint *v1alpha1.WebhookEndpoint) *applymeta.OwnerReferenceApplyConfiguration {
	ref := metav1.NewControllerRef(endpoint, endpointKind)
	return applymeta.OwnerReference().
		WithAPIVersion(ref.APIVersion).WithKind(ref.Kind).WithName(ref.Name).WithUID(ref.UID).
		WithController(true).WithBlockOwnerDeletion(true)
}

func containsAll(have, want map[string]string) bool {
	merged := maps.Clone(have)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, want)
	return maps.Equal(merged, have)
}
