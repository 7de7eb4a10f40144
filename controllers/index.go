package controllers

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
)

// The indexes of endpoints, each by what an endpoint depends on.
const (
	byPath     = "compile.path"
	byProvider = "spec.provider"
	bySecret   = "secrets" // the provider's, and those to sign with
	byCA       = "authorities"
	byService  = "services" // the targets and the alias
)

// indexed says how each index is filled.
var indexed = map[string]func(*v1alpha1.WebhookEndpoint) []string{
	byPath:     func(e *v1alpha1.WebhookEndpoint) []string { return []string{compile.Path(e)} },
	byProvider: func(e *v1alpha1.WebhookEndpoint) []string { return []string{e.Spec.Provider} },
	bySecret: func(e *v1alpha1.WebhookEndpoint) []string {
		names := slices.Collect(maps.Keys(compile.SigningEntries(e)))
		if e.Spec.SecretRef != nil {
			names = append(names, e.Spec.SecretRef.Name)
		}
		return names
	},
	byCA: compile.AuthorityNames,
	byService: func(e *v1alpha1.WebhookEndpoint) []string {
		return append(compile.TargetServices(e), route.ServiceName(e.Name))
	},
}

func indexEndpoints(indexer client.FieldIndexer) error {
	for name, keys := range indexed {
		extract := func(object client.Object) []string { return keys(object.(*v1alpha1.WebhookEndpoint)) }
		if err := indexer.IndexField(context.Background(), &v1alpha1.WebhookEndpoint{}, name, extract); err != nil {
			return err
		}
	}
	return nil
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// endpointsBy lists the endpoints with a value in an index, as requests. An
// empty namespace means all.
func (r *WebhookEndpointReconciler) endpointsBy(ctx context.Context, index, value, namespace string) []reconcile.Request {
	var list v1alpha1.WebhookEndpointList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{index: value}); err != nil {
		// The cache only fails while the manager starts or stops; then every
		// endpoint is reconciled anyway.
		log.FromContext(ctx).Error(err, "Could not find the endpoints that depend on an object", "index", index, "value", value)
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i] = reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])}
	}
	return requests
}

// rivalsOfEndpoint maps an endpoint that is new, changed or gone to the other endpoints
// that claim its path, or the path that it had, because one of them may have that path now.
// It also wakes those beyond the quota, for which there may be room.
func (r *WebhookEndpointReconciler) rivalsOfEndpoint() handler.EventHandler {
	enqueue := func(ctx context.Context, object client.Object, queue requestQueue) {
		endpoint := object.(*v1alpha1.WebhookEndpoint)
		for _, request := range r.endpointsBy(ctx, byPath, compile.Path(endpoint), endpoint.Namespace) {
			if request.Name != endpoint.Name {
				queue.Add(request)
			}
		}
		for _, request := range r.beyondQuota(ctx, endpoint.Namespace) {
			queue.Add(request)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) {
			enqueue(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			before, after := e.ObjectOld.(*v1alpha1.WebhookEndpoint), e.ObjectNew.(*v1alpha1.WebhookEndpoint)
			if compile.Path(before) != compile.Path(after) || r.serves(before) != r.serves(after) {
				enqueue(ctx, before, q)
				enqueue(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) {
			enqueue(ctx, e.Object, q)
		},
	}
}

// beyondQuota are the endpoints of a namespace that wait for room.
func (r *WebhookEndpointReconciler) beyondQuota(ctx context.Context, namespace string) (requests []reconcile.Request) {
	list, err := r.served(ctx, namespace)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find the endpoints that are beyond their quota", "namespace", namespace)
	}
	for i := range list {
		if c := meta.FindStatusCondition(list[i].Status.Conditions, v1alpha1.ConditionAccepted); c != nil && c.Reason == v1alpha1.ReasonQuotaExceeded {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list[i])})
		}
	}
	return requests
}

// endpointsOfNamespace reconciles the endpoints of a namespace whose quota may have
// changed.
func (r *WebhookEndpointReconciler) endpointsOfNamespace() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		list, err := r.served(ctx, object.GetName())
		if err != nil {
			log.FromContext(ctx).Error(err, "Could not find the endpoints of a namespace", "namespace", object.GetName())
		}
		requests := make([]reconcile.Request, len(list))
		for i := range list {
			requests[i] = reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list[i])}
		}
		return requests
	})
}

func (r *WebhookEndpointReconciler) endpointsOfProvider() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.endpointsBy(ctx, byProvider, object.GetName(), "")
	})
}

func (r *WebhookEndpointReconciler) endpointsOfService() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.endpointsBy(ctx, byService, object.GetName(), object.GetNamespace())
	})
}

func (r *WebhookEndpointReconciler) endpointsOfConfigMap() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.endpointsBy(ctx, byCA, object.GetName(), object.GetNamespace())
	})
}

func (r *WebhookEndpointReconciler) endpointsOfSecret() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.endpointsBy(ctx, bySecret, object.GetName(), object.GetNamespace())
	})
}

// endpointsOfKeys reconciles the endpoints that use a document of published keys when its
// keys or its problem change.
func (r *WebhookEndpointReconciler) endpointsOfKeys() source.Source {
	return source.Func(func(_ context.Context, q requestQueue) error {
		r.Keys.OnChange(func(users []types.NamespacedName) {
			for _, user := range users {
				q.Add(reconcile.Request{NamespacedName: user})
			}
		})
		return nil
	})
}

// endpointOfRoute maps a route Secret back to its endpoint. When the manager
// starts, this finds routes whose endpoint was deleted meanwhile.
func (r *WebhookEndpointReconciler) endpointOfRoute() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		labels := object.GetLabels()
		name := types.NamespacedName{Namespace: labels[route.LabelEndpointNamespace], Name: labels[route.LabelEndpointName]}
		if name.Namespace == "" || name.Name == "" {
			return nil
		}
		return []reconcile.Request{{NamespacedName: name}}
	})
}
