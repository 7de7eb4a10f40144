package controllers

import (
	"context"
	"reflect"

	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	apply "sallyport.dev/sallyport/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// WebhookProviderReconciler runs the examples of providers and writes into their status
// what came out.
type WebhookProviderReconciler struct {
	// Client reads from the manager's cache and writes to the API server.
	Client client.Client
	// Catalog compiles providers.
	Catalog *Catalog
}

// +kubebuilder:rbac:groups=hooks.sallyport.dev,resources=webhookproviders,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=hooks.sallyport.dev,resources=webhookproviders/status,verbs=patch

// Reconcile compiles a provider and writes its status, if it differs from what
// is there.
func (r *WebhookProviderReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object, err := find(ctx, r.Client, req.NamespacedName, &v1alpha1.WebhookProvider{})
	if object == nil || err != nil {
		return ctrl.Result{}, err
	}
	status := providerStatus(object, r.Catalog.compile(object))
	if reflect.DeepEqual(status, object.Status) {
		return ctrl.Result{}, nil
	}
	config := apply.WebhookProvider(object.Name).
		WithResourceVersion(object.ResourceVersion).
		WithStatus(apply.WebhookProviderStatus().
			WithObservedGeneration(status.ObservedGeneration).
			WithUnauthenticated(status.Unauthenticated...).
			WithConditions(conditionConfigs(status.Conditions)...))
	return ctrl.Result{}, ignoreChanged(r.Client.Status().Apply(ctx, config, FieldOwner, client.ForceOwnership))
}

// providerStatus is the status of a provider that was compiled. It is the one place that sets conditions of a provider.
func providerStatus(object *v1alpha1.WebhookProvider, sender *provider.Sender) v1alpha1.WebhookProviderStatus {
	status := *object.Status.DeepCopy()
	status.ObservedGeneration = object.Generation
	status.Unauthenticated = nil
	for _, sentence := range sender.Unauthenticated {
		status.Unauthenticated = append(status.Unauthenticated, shorten(sentence, maxSentence))
	}
	verified := isTrue(v1alpha1.ConditionVerified, v1alpha1.ReasonVerified, "Every example comes out as stated.")
	if sender.Problem != "" {
		verified = isFalse(v1alpha1.ConditionVerified, sender.Reason, sender.Problem)
	}
	verified.ObservedGeneration = object.Generation
	meta.SetStatusCondition(&status.Conditions, verified)
	return status
}

// SetupWithManager registers the controller.
func (r *WebhookProviderReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("webhookprovider").For(&v1alpha1.WebhookProvider{}).Complete(r)
}
