package controllers

import (
	"errors"
	"fmt"
	"time"

	coordination "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/controllers/keys"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
)

// Options say how the control plane works.
type Options struct {
	// RouteNamespace is where receivers read their routes and keep their Leases.
	RouteNamespace string
	// Namespaces are those whose endpoints are served; empty: all.
	Namespaces []string
	// ClassName is spec.className of the endpoints that are served.
	ClassName string
	// Settings go into every route.
	Settings compile.Settings
	// Quota holds in namespaces whose annotations don't say otherwise.
	Quota compile.Quota
	// Presets are the WebhookProviders that come with this build, see provider.Presets.
	Presets []*v1alpha1.WebhookProvider
	// Keys fetches the keys that senders publish; nil: one with the defaults.
	Keys *keys.Cache
	// DeadLetters are those that WebhookReplays deliver again; nil: the manager has no
	// --redis-url.
	DeadLetters DeadLetters
	// Traffic counts what was received and delivered, for the status of endpoints; nil: the
	// status has no traffic.
	Traffic TrafficStore
	// Audit takes a record of each dead letter that is revived; nil: nobody does.
	Audit audit.Sink
	// Now is the clock by which Leases and previous secrets are judged; nil: time.Now.
	Now func() time.Time
}

// Setup registers all controllers with a manager, and a check that makes it ready when
// its caches are full. The manager's cache must be made with CacheOptions.
func Setup(mgr ctrl.Manager, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keys == nil {
		o.Keys = keys.New(keys.Options{})
	}
	if o.Audit == nil {
		o.Audit = audit.NewFanOut("", o.Now)
	}
	if err := mgr.Add(o.Keys); err != nil {
		return err
	}
	routes, err := cache.New(mgr.GetConfig(), routeCacheOptions(mgr, o.RouteNamespace))
	if err != nil {
		return fmt.Errorf("make the cache of routes: %w", err)
	}
	if err := mgr.Add(startedFirst{routes}); err != nil {
		return err
	}
	warmup := newWarmup(mgr.GetCache(), routes)
	if err := errors.Join(mgr.Add(warmup), mgr.AddReadyzCheck("caches", warmup.check)); err != nil {
		return err
	}
	catalog := NewCatalog(mgr.GetClient(), o.Presets)
	recorder, fleet := mgr.GetEventRecorder(reportingController), newFleet(o.Now)
	fleet.report = reportTo(recorder)
	endpoints := &WebhookEndpointReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Routes: routes,
		RouteNamespace: o.RouteNamespace, Namespaces: o.Namespaces, ClassName: o.ClassName, Settings: o.Settings, Quota: o.Quota,
		Catalog: catalog, Keys: o.Keys, Now: o.Now, fleet: fleet,
	}
	if err := endpoints.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the endpoint controller: %w", err)
	}
	if err := (&WebhookProviderReconciler{Client: mgr.GetClient(), Catalog: catalog}).SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the provider controller: %w", err)
	}
	replays := &WebhookReplayReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Store: o.DeadLetters, Audit: o.Audit,
		Events: recorder, Now: o.Now, ClassName: o.ClassName,
	}
	if err := replays.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the replay controller: %w", err)
	}
	if o.Traffic != nil {
		if err := mgr.Add(&TrafficReporter{Client: mgr.GetClient(), Store: o.Traffic, ClassName: o.ClassName}); err != nil {
			return err
		}
	}
	return mgr.Add(&PresetInstaller{Client: mgr.GetClient(), Presets: o.Presets})
}

// CacheOptions are for the manager's own cache. It holds Secrets of users only
// as metadata, because nothing asks for more; and no managed fields. Without
// namespaces it holds what is in all of them.
func CacheOptions(namespaces ...string) cache.Options {
	o := cache.Options{DefaultTransform: cache.TransformStripManagedFields()}
	for _, namespace := range namespaces {
		if o.DefaultNamespaces == nil {
			o.DefaultNamespaces = map[string]cache.Config{}
		}
		o.DefaultNamespaces[namespace] = cache.Config{}
	}
	return o
}

// ClientOptions are for the manager's client, which never fills a cache with Secrets.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}}
}

// routeCacheOptions are for the cache of what the manager and the receivers own:
// whole Secrets, but only routes, and only of the route namespace. Routes are selected by
// their type, which can't be changed: one that lost its labels is still repaired, or
// withdrawn. Their managed fields are kept, because they say who wrote what.
func routeCacheOptions(mgr ctrl.Manager, namespace string) cache.Options {
	isRoute := fields.OneTermEqualSelector("type", route.SecretType)
	isReceiver := labels.SelectorFromSet(labels.Set{route.LabelReceiver: "true"})
	return cache.Options{
		HTTPClient:        mgr.GetHTTPClient(),
		Scheme:            mgr.GetScheme(),
		Mapper:            mgr.GetRESTMapper(),
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		DefaultTransform:  cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:      {Field: isRoute, Transform: func(object any) (any, error) { return object, nil }},
			&coordination.Lease{}: {Label: isReceiver},
		},
	}
}
