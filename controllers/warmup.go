package controllers

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	coordination "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// warmupRetry is the time to the next attempt to fill a cache, while its kind is not
// installed for example.
const warmupRetry = time.Second

// startedFirst makes the manager start this cache with its own, before leader election.
type startedFirst struct{ cache.Cache }

// GetCache is the method by which a manager recognizes a cache.
func (c startedFirst) GetCache() cache.Cache { return c.Cache }

// warmup fills the caches of a manager when it starts, rather than when it begins
// to lead: one that stands by takes over at once. Its check fails until they are full,
// so that a rolling update waits for that before it goes on to the next manager.
type warmup struct {
	// objects is one object of each kind that is watched, by the cache.
	objects map[cache.Cache][]client.Object
	full    atomic.Bool
}

func newWarmup(own, routes cache.Cache) *warmup {
	return &warmup{objects: map[cache.Cache][]client.Object{
		own: {
			&v1alpha1.WebhookEndpoint{}, &v1alpha1.WebhookProvider{}, &v1alpha1.WebhookReplay{}, &corev1.Service{},
			metadataOf("Namespace"), metadataOf("Secret"), metadataOf("ConfigMap"),
		},
		routes: {&corev1.Secret{}, &coordination.Lease{}},
	}}
}

func metadataOf(kind string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return object
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: managers that stand by
// warm up, too.
func (*warmup) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable. It returns when the caches are full, or ctx ends.
func (w *warmup) Start(ctx context.Context) error {
	for from, objects := range w.objects {
		for _, object := range objects {
			if !fill(ctx, from, object) {
				return nil
			}
		}
		if !from.WaitForCacheSync(ctx) {
			return nil
		}
	}
	w.full.Store(true)
	return nil
}

// fill starts to cache all objects of a kind; false: ctx has ended.
func fill(ctx context.Context, from cache.Cache, object client.Object) bool {
	for {
		_, err := from.GetInformer(ctx, object)
		if err == nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(warmupRetry):
			log.FromContext(ctx).Error(err, "Could not fill a cache; it is tried again")
		}
	}
}

// check implements healthz.Checker. Once the caches are full, an outage of the API
// server does not make a manager unready: another one would fare no better.
func (w *warmup) check(*http.Request) error {
	if !w.full.Load() {
		return errors.New("the caches are not full yet: is the API server reachable, and may this ServiceAccount list what the manager watches?")
	}
	return nil
}
