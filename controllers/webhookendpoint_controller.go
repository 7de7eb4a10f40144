package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/controllers/keys"
)

// FieldOwner is the manager's name in server-side apply.
const FieldOwner = client.FieldOwner("sallyport-manager")

// endpointConcurrency is how many endpoints are reconciled at a time. A
// reconciliation mostly waits for the API server.
const endpointConcurrency = 16

// WebhookEndpointReconciler makes routes of WebhookEndpoints.
type WebhookEndpointReconciler struct {
	// Client reads from the manager's cache and writes to the API server.
	Client client.Client
	// Live reads from the API server: Secrets of users, which no cache may hold, and
	// their ConfigMaps, which none has to.
	Live client.Reader
	// Routes caches the route Secrets and the receivers' Leases, in
	// RouteNamespace only.
	Routes cache.Cache
	// RouteNamespace is where the receivers read their routes.
	RouteNamespace string
	// Namespaces are those whose endpoints are served here; empty: all.
	Namespaces []string
	// ClassName is spec.className of the endpoints that are served here.
	ClassName string
	// Settings go into every route.
	Settings compile.Settings
	// Quota holds in namespaces whose annotations don't say otherwise.
	Quota compile.Quota
	// Catalog finds providers.
	Catalog *Catalog
	// Keys fetches the keys that senders publish.
	Keys *keys.Cache
	// Now is the clock by which Leases and previous secrets are judged.
	Now func() time.Time

	// fleet knows which receivers serve which routes.
	fleet *fleet
}

// +kubebuilder:rbac:groups=hooks.sallyport.dev,resources=webhookendpoints,verbs=get;list;watch
// +kubebuilder:rbac:groups=hooks.sallyport.dev,resources=webhookendpoints/status,verbs=patch
// +kubebuilder:rbac:groups=hooks.sallyport.dev,resources=webhookendpoints/finalizers,verbs=update
// +kubebuilder:rbac:groups=core,resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=core,resources=services,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=core,resources=configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups=core,resources=secrets,verbs=get;list;watch
// +kubebuilder:rbac:groups=core,resources=secrets,verbs=create;patch;delete,namespace=sallyport-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;list;watch;create;update,namespace=sallyport-system
// +kubebuilder:rbac:groups=core,resources=events,verbs=create;patch,namespace=sallyport-system

// Reconcile observes an endpoint, compiles it, publishes the result and says
// what came of it.
func (r *WebhookEndpointReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	in, err := r.observe(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("observe: %w", err)
	}
	if in == nil {
		r.fleet.forget(req)
		r.Keys.Use(req.NamespacedName)
		return ctrl.Result{}, r.withdraw(ctx, req.NamespacedName)
	}

	result := compile.Endpoint(in.Input)
	version, publishErr := r.publish(ctx, in, result)
	if apierrors.IsConflict(publishErr) {
		return ctrl.Result{}, nil // what was observed is out of date: its change has an event of its own
	}

	rollout := r.fleet.rollout(req, version)
	statusErr := r.writeStatus(ctx, in.Endpoint, facts{
		result: result, published: version != "", publishErr: publishErr, rollout: rollout,
		use: r.fleet.keyUse(req.NamespacedName, result.Rotation),
	})
	if err := errors.Join(publishErr, statusErr); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: soonest(rollout.recheck, result.Recheck, in.Now)}, nil
}

// soonest is the wait until something changes without an event: after a while, or
// at a time; 0: nothing does.
func soonest(after time.Duration, at, now time.Time) time.Duration {
	if at.IsZero() {
		return after
	}
	wait := max(at.Sub(now), time.Millisecond)
	if after > 0 {
		wait = min(wait, after)
	}
	return wait
}

// SetupWithManager registers the controller and all that it watches.
func (r *WebhookEndpointReconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := indexEndpoints(mgr.GetFieldIndexer()); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("webhookendpoint").
		For(&v1alpha1.WebhookEndpoint{}).
		Watches(&v1alpha1.WebhookEndpoint{}, r.rivalsOfEndpoint()).
		Watches(&v1alpha1.WebhookProvider{}, r.endpointsOfProvider(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Service{}, r.endpointsOfService()).
		WatchesMetadata(&corev1.Namespace{}, r.endpointsOfNamespace(), builder.WithPredicates(predicate.AnnotationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, r.endpointsOfSecret()).
		WatchesMetadata(&corev1.ConfigMap{}, r.endpointsOfConfigMap()).
		WatchesRawSource(source.Kind[client.Object](r.Routes, &corev1.Secret{}, r.endpointOfRoute())).
		WatchesRawSource(r.fleet.source(r.Routes)).
		WatchesRawSource(r.endpointsOfKeys()).
		WithOptions(controller.Options{MaxConcurrentReconciles: endpointConcurrency}).
		Complete(r)
}
