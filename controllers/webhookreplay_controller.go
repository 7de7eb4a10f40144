package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

const (
	// replayConcurrency is how many replays are at work at a time. Each yields after a
	// second, so that many take turns.
	replayConcurrency = 4
	// While Redis is away, a replay asks for it again after the first wait, then
	// twice as long each time, up to the last.
	firstRedisWait, lastRedisWait = 500 * time.Millisecond, 30 * time.Second
	// saveTimeout bounds the writing of a status, which a manager that ends waits for.
	saveTimeout = 10 * time.Second
)

// reportingController is what Events of the manager say about where they come from.
const reportingController = "hooks.sallyport.dev/manager"

// DeadLetters are the deliveries that were given up: a *store.Store.
type DeadLetters interface {
	// DeadLetters reads a page of those that are meant.
	DeadLetters(ctx context.Context, q store.DeadQuery) (store.DeadPage, error)
	// Revive makes a dead letter pending again; store.ErrFenced: it is no dead letter any more.
	Revive(ctx context.Context, l store.DeadLetter) error
	// Now is the time by which deliveries are given up.
	Now() time.Time
}

// WebhookReplayReconciler delivers dead letters again, once for each WebhookReplay.
type WebhookReplayReconciler struct {
	// Client reads from the manager's cache and writes to the API server.
	Client client.Client
	// Live reads from the API server. A replay goes by its own status, and the cache
	// may not have the latest yet.
	Live client.Reader
	// Store has the dead letters; nil: the manager has no --redis-url.
	Store DeadLetters
	// Audit takes a record of each delivery that is made again.
	Audit audit.Sink
	// Events records on the WebhookReplay what came of it.
	Events events.EventRecorder
	// Now is the clock by which replays take turns.
	Now func() time.Time
	// ClassName is spec.className of the endpoints that this manager serves. Replays of
	// other endpoints are left to their own manager.
	ClassName string
}

// +kubebuilder:rbac:groups=hooks.sallyport.dev,resources=webhookreplays,verbs=get;list;watch
// +kubebuilder:rbac:groups=hooks.sallyport.dev,resources=webhookreplays/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile works on a replay for about a second, and says in its status how far it
// has come. It comes back until the replay is complete.
func (r *WebhookReplayReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	replay, err := r.unfinished(ctx, req.NamespacedName)
	if replay == nil || err != nil {
		return ctrl.Result{}, err
	}
	endpoint, err := find(ctx, r.Client, endpointOf(replay), &v1alpha1.WebhookEndpoint{})
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("read the endpoint: %w", err)
	}
	if endpoint != nil && endpoint.Spec.ClassName != r.ClassName {
		return ctrl.Result{}, nil
	}

	done, err := r.advance(ctx, replay, endpoint)
	saved, saveErr := r.save(ctx, replay, done)
	if saveErr != nil {
		return ctrl.Result{}, saveErr
	}
	if saved.CompletionTime != nil {
		r.announce(replay, saved)
		return ctrl.Result{}, nil
	}
	if err != nil || done.stalls() {
		return ctrl.Result{}, err // Redis is asked again later, and the rest has events of its own
	}
	return ctrl.Result{RequeueAfter: time.Millisecond}, nil // others have their turn first
}

// unfinished reads a replay that is not complete; nil: it is complete or gone, and stays so.
// For most replays the cache knows that already.
func (r *WebhookReplayReconciler) unfinished(ctx context.Context, name types.NamespacedName) (*v1alpha1.WebhookReplay, error) {
	var replay *v1alpha1.WebhookReplay
	for _, reader := range []client.Reader{r.Client, r.Live} {
		var err error
		if replay, err = find(ctx, reader, name, &v1alpha1.WebhookReplay{}); err != nil {
			return nil, fmt.Errorf("read the replay: %w", err)
		}
		if replay == nil || replay.Status.CompletionTime != nil || isDeleted(replay) {
			return nil, nil
		}
	}
	return replay, nil
}

// advance does the next step of a replay: it marks the start, or hands dead letters over
// for a second, or returns the reason why it can do neither. An error comes from Redis.
func (r *WebhookReplayReconciler) advance(ctx context.Context, replay *v1alpha1.WebhookReplay, endpoint *v1alpha1.WebhookEndpoint) (progress, error) {
	switch {
	case endpoint == nil:
		return progress{reason: v1alpha1.ReasonEndpointNotFound}, nil
	case r.Store == nil:
		return progress{reason: v1alpha1.ReasonRedisNotConfigured}, nil
	case replay.Status.StartTime == nil:
		return started(r.Store.Now()), nil
	}
	return r.handOver(ctx, replay, endpoint)
}

// announce records an Event on the replay: what came of it.
func (r *WebhookReplayReconciler) announce(replay *v1alpha1.WebhookReplay, saved v1alpha1.WebhookReplayStatus) {
	kind, complete := corev1.EventTypeNormal, completeCondition(saved, "")
	if saved.Failed > 0 {
		kind = corev1.EventTypeWarning
	}
	r.Events.Eventf(replay, nil, kind, complete.Reason, "Replay", "%s", complete.Message)
}

// byEndpoint indexes replays by the name of their endpoint.
const byEndpoint = "spec.endpointRef.name"

func endpointOf(replay *v1alpha1.WebhookReplay) types.NamespacedName {
	return types.NamespacedName{Namespace: replay.Namespace, Name: replay.Spec.EndpointRef.Name}
}

// replaysOfEndpoint maps an endpoint to the replays that may wait for it.
func (r *WebhookReplayReconciler) replaysOfEndpoint() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, endpoint client.Object) []reconcile.Request {
		var list v1alpha1.WebhookReplayList
		if err := r.Client.List(ctx, &list, client.InNamespace(endpoint.GetNamespace()), client.MatchingFields{byEndpoint: endpoint.GetName()}); err != nil {
			// The cache only fails while the manager starts or stops; then every replay
			// is reconciled anyway.
			log.FromContext(ctx).Error(err, "Could not find the replays of an endpoint", "endpoint", client.ObjectKeyFromObject(endpoint))
			return nil
		}
		var requests []reconcile.Request
		for i := range list.Items {
			if list.Items[i].Status.CompletionTime == nil {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
			}
		}
		return requests
	})
}

// SetupWithManager registers the controller and what it watches.
func (r *WebhookReplayReconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.WebhookReplay{}, byEndpoint, func(object client.Object) []string {
		return []string{object.(*v1alpha1.WebhookReplay).Spec.EndpointRef.Name}
	})
	if err != nil {
		return err
	}
	appears := predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.(*v1alpha1.WebhookEndpoint).Spec.ClassName != e.ObjectNew.(*v1alpha1.WebhookEndpoint).Spec.ClassName
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("webhookreplay").
		// A write of its own status must not wake a replay.
		For(&v1alpha1.WebhookReplay{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.WebhookEndpoint{}, r.replaysOfEndpoint(), builder.WithPredicates(appears)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: replayConcurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRedisWait, lastRedisWait),
		}).
		Complete(r)
}
