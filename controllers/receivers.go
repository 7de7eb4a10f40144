package controllers

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
)

// receiverSet is what the Leases of the receivers say.
type receiverSet []receiverLease

// receiverLease is a Lease, and when it ends by the manager's clock.
type receiverLease struct {
	coordination.Lease
	end time.Time
}

// receivers reads the Leases from the cache.
func (r *WebhookEndpointReconciler) receivers(ctx context.Context) (receiverSet, error) {
	var list coordination.LeaseList
	err := r.Routes.List(ctx, &list, client.InNamespace(r.RouteNamespace))
	set := make(receiverSet, len(list.Items))
	for i, lease := range list.Items {
		set[i] = receiverLease{lease, r.sightings.end(&lease, r.Now())}
	}
	return set, err
}

// sightings remember when Leases were seen to be renewed. A receiver's clock may
// differ from the manager's, so a Lease is judged as leader election judges one: it
// lasts from when its renewal was seen, whatever the time in it. It is safe for
// concurrent use; the zero value has seen nothing.
type sightings struct {
	mu   sync.Mutex
	seen map[string]sighting
}

type sighting struct {
	renewed time.Time // by the receiver's clock
	at      time.Time // by the manager's
	again   bool      // it was seen to change, so somebody renews it
}

// end is when a Lease ends, as it is now.
func (s *sightings) end(lease *coordination.Lease, now time.Time) time.Time {
	renewed, lasting := renewalOf(lease)
	s.mu.Lock()
	defer s.mu.Unlock()
	last, known := s.seen[lease.Name]
	if !known || !last.renewed.Equal(renewed) {
		last = sighting{renewed, now, known}
		if s.seen == nil {
			s.seen = map[string]sighting{}
		}
		s.seen[lease.Name] = last
	}
	return last.end(lasting)
}

// ended reports whether a Lease as it was before has ended.
func (s *sightings) ended(before *coordination.Lease, now time.Time) bool {
	renewed, lasting := renewalOf(before)
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.seen[before.Name]; known && last.renewed.Equal(renewed) {
		return !last.end(lasting).After(now)
	}
	return !renewed.Add(lasting).After(now)
}

// forget is for a Lease that is gone.
func (s *sightings) forget(lease string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, lease)
}

// end of a Lease that was seen once only, as when the manager starts, is not later
// than what is in it: nobody may be there to renew it.
func (s sighting) end(lasting time.Duration) time.Time {
	end := s.at.Add(lasting)
	if byReceiver := s.renewed.Add(lasting); !s.again && byReceiver.Before(end) {
		return byReceiver
	}
	return end
}

// renewalOf reads a Lease; one that doesn't say enough has ended long ago.
func renewalOf(lease *coordination.Lease) (renewed time.Time, lasting time.Duration) {
	if lease.Spec.RenewTime == nil || lease.Spec.LeaseDurationSeconds == nil {
		return time.Time{}, 0
	}
	return lease.Spec.RenewTime.Time, time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
}

// serving says how far a route has come.
type serving struct {
	// live is the number of receivers whose Lease has not ended.
	live int
	// behind names the live receivers that don't serve the route yet.
	behind []string
	// recheck is when the answer may change without an event, because a Lease
	// ends; 0: never.
	recheck time.Duration
}

// waiting reports whether a change of a Lease may make the endpoint Programmed.
func (s serving) waiting() bool { return s.live == 0 || len(s.behind) > 0 }

// serve judges which live receivers serve the route with a resourceVersion.
func (set receiverSet) serve(version string, now time.Time) serving {
	var result serving
	for _, lease := range set {
		left := lease.end.Sub(now)
		if left <= 0 {
			continue
		}
		result.live++
		if !serves(lease.Lease, version) {
			result.behind = append(result.behind, ownerOf(lease.Lease))
			result.recheck = max(result.recheck, left)
		}
	}
	slices.Sort(result.behind)
	return result
}

// serves compares resourceVersions, which Kubernetes lets clients do since 1.35.
// No route at all is served by everybody.
func serves(lease coordination.Lease, version string) bool {
	if version == "" {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(lease.Annotations[route.AnnotationServed], version)
	return err == nil && order >= 0
}

func ownerOf(lease coordination.Lease) string {
	if lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
		return *lease.Spec.HolderIdentity
	}
	return lease.Name
}

// last is how long the Lease that ends last is still valid; 0: none is.
func (set receiverSet) last(now time.Time) time.Duration {
	var longest time.Duration
	for _, lease := range set {
		longest = max(longest, lease.end.Sub(now))
	}
	return longest
}

// keyUse sums up which keys of an endpoint the receivers have seen in use since a
// rotation started: the first use of the new one, the last of an older one. The
// last use is told to the minute, so that a busy sender doesn't cause a write for
// every receiver.
func (set receiverSet) keyUse(endpoint types.NamespacedName, rotation *compile.Rotation) (sum route.KeyUse) {
	if rotation == nil {
		return route.KeyUse{}
	}
	for _, lease := range set {
		use, ok := keyUseOf(&lease.Lease)[endpoint.String()]
		if !ok || use.PreviousEnds != rotation.PreviousEnds.Unix() {
			continue
		}
		if first := use.CurrentFirst; first > 0 && (sum.CurrentFirst == 0 || first < sum.CurrentFirst) {
			sum.CurrentFirst = first
		}
		sum.PreviousLast = max(sum.PreviousLast, use.PreviousLast-use.PreviousLast%60)
	}
	return sum
}

// keyUseOf reads what a receiver says in its Lease; nothing, if that can't be read.
func keyUseOf(lease *coordination.Lease) map[string]route.KeyUse {
	use, err := route.DecodeKeyUse(lease.Annotations[route.AnnotationKeyUse])
	if err != nil {
		return nil
	}
	return use
}

// usesDiffer lists the endpoints of which a receiver says something else than
// before.
func usesDiffer(before, after *coordination.Lease) []reconcile.Request {
	if before.Annotations[route.AnnotationKeyUse] == after.Annotations[route.AnnotationKeyUse] {
		return nil
	}
	known := keyUseOf(before)
	var requests []reconcile.Request
	for endpoint, use := range keyUseOf(after) {
		namespace, name, ok := strings.Cut(endpoint, "/")
		if ok && known[endpoint] != use {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
		}
	}
	return requests
}

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// leaseSource reconciles endpoints when the receivers change. A renewed Lease
// changes nothing; a receiver that serves more makes waiting endpoints
// Programmed; which keys it sees in use concerns the endpoints that it speaks of;
// one that comes or goes concerns all, and so does it when the last
// one falls silent.
func (r *WebhookEndpointReconciler) leaseSource() source.Source {
	return source.Kind[client.Object](r.Routes, &coordination.Lease{}, handler.Funcs{
		CreateFunc: func(ctx context.Context, _ event.CreateEvent, q requestQueue) {
			r.enqueueAll(ctx, q)
			r.awaitSilence(ctx, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) {
			r.sightings.forget(e.Object.GetName())
			r.enqueueAll(ctx, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) {
			before, after := e.ObjectOld.(*coordination.Lease), e.ObjectNew.(*coordination.Lease)
			for _, request := range usesDiffer(before, after) {
				q.Add(request)
			}
			switch {
			case r.sightings.ended(before, r.Now()):
				r.enqueueAll(ctx, q)
			case before.Annotations[route.AnnotationServed] != after.Annotations[route.AnnotationServed]:
				for _, request := range r.waiting.list() {
					q.Add(request)
				}
			}
			r.awaitSilence(ctx, q)
		},
	})
}

func (r *WebhookEndpointReconciler) enqueueAll(ctx context.Context, q requestQueue) {
	var list v1alpha1.WebhookEndpointList
	if err := r.Client.List(ctx, &list); err != nil {
		return // only while the manager starts or stops
	}
	for i := range list.Items {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
}

// awaitSilence reconciles all endpoints when the last Lease has ended without
// having been renewed.
func (r *WebhookEndpointReconciler) awaitSilence(ctx context.Context, q requestQueue) {
	receivers, err := r.receivers(ctx)
	if err != nil {
		return // only while the manager starts or stops
	}
	if left := receivers.last(r.Now()); left > 0 {
		r.silence.after(left, func() { r.awaitSilence(ctx, q) })
		return
	}
	r.enqueueAll(ctx, q)
}

// silence is the one timer that runs out when no receiver renews its Lease: the
// end of a Lease is no event. It is safe for concurrent use; the zero value waits
// for nothing.
type silence struct {
	mu    sync.Mutex
	timer *time.Timer
}

// after does something later, instead of what was to be done before.
func (s *silence) after(wait time.Duration, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(wait, do)
}

// waitingSet holds the endpoints that wait for a receiver. It is safe for
// concurrent use; the zero value is empty.
type waitingSet struct {
	mu       sync.Mutex
	requests map[reconcile.Request]struct{}
}

func (w *waitingSet) add(request reconcile.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.requests == nil {
		w.requests = map[reconcile.Request]struct{}{}
	}
	w.requests[request] = struct{}{}
}

func (w *waitingSet) remove(request reconcile.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, request)
}

func (w *waitingSet) list() []reconcile.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	requests := make([]reconcile.Request, 0, len(w.requests))
	for request := range w.requests {
		requests = append(requests, request)
	}
	return requests
}
