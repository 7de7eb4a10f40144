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
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
)

// fleet knows which receivers are alive, which routes they serve and whether they can store
// events, and it wakes the endpoints that this concerns. It needs a clock and the events of
// the receivers' Lease objects, and nothing else. It is safe for concurrent use.
type fleet struct {
	now func() time.Time
	// report is told how a receiver finds the store now, when that has changed; nil:
	// nobody is.
	report func(*coordination.Lease, route.StoreView)

	mu     sync.Mutex
	leases map[string]receiverLease // by name
	// endpoints are those that were reconciled.
	endpoints map[reconcile.Request]*followed
	// lastExpiry runs when the Lease that expires last does, because that is no event.
	lastExpiry *time.Timer
	// outage is that of the store; the zero one: there is none.
	outage outage
	// telling: endpoints are told of the outage, one after the other.
	telling bool
}

// followed is what the fleet knows of an endpoint.
type followed struct {
	// waits: its route is not served by all receivers.
	waits bool
	// outage is what the endpoint was told.
	outage outage
}

func newFleet(now func() time.Time) *fleet {
	return &fleet{now: now, leases: map[string]receiverLease{}, endpoints: map[reconcile.Request]*followed{}}
}

// receiverLease is a Lease object of a receiver. The clock of a receiver may differ
// from the manager's, so a Lease is judged as leader election judges one: it lasts from
// when the manager saw it renewed, whatever the time in it.
type receiverLease struct {
	*coordination.Lease
	// renewalSeen is when the manager saw the last renewal, by its own clock.
	renewalSeen time.Time
	// alive: the manager saw it renewed, and not only found it, so a receiver is there.
	alive bool
	// failingSince is since when the receiver can't store events, by the manager's clock as far
	// as it saw that; zero: it can.
	failingSince time.Time
}

// expiry is when a Lease ends. One whose renewal was never seen, as when the manager has just
// started, ends no later than it says itself: maybe its receiver is gone.
func (l receiverLease) expiry() time.Time {
	renewed, lasting := renewalOf(l.Lease)
	end := l.renewalSeen.Add(lasting)
	if byReceiver := renewed.Add(lasting); !l.alive && byReceiver.Before(end) {
		return byReceiver
	}
	return end
}

// renewalOf reads a Lease; one that lacks the times has ended long ago.
func renewalOf(lease *coordination.Lease) (renewed time.Time, lasting time.Duration) {
	if lease.Spec.RenewTime == nil || lease.Spec.LeaseDurationSeconds == nil {
		return time.Time{}, 0
	}
	return lease.Spec.RenewTime.Time, time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
}

func (l receiverLease) receiver() string {
	if holder := l.Spec.HolderIdentity; holder != nil && *holder != "" {
		return *holder
	}
	return l.Name
}

// serves compares resourceVersions, which Kubernetes lets clients do since 1.35.
// An endpoint without a route is served by every receiver.
func (l receiverLease) serves(version string) bool {
	if version == "" {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(l.Annotations[route.AnnotationServed], version)
	return err == nil && order >= 0
}

// keyUse reads which keys the receiver has seen in use, by endpoint; none if the
// annotation can't be read.
func (l receiverLease) keyUse() map[string]route.KeyUse {
	use, err := route.DecodeKeyUse(l.Annotations[route.AnnotationKeyUse])
	if err != nil {
		return nil
	}
	return use
}

// rollout is how far the route of an endpoint has come.
type rollout struct {
	// live is the number of receivers whose Lease has not ended.
	live int
	// behind names the live receivers that don't serve the route yet.
	behind []string
	// outage is what the endpoint is told of the store.
	outage outage
	// recheck is the wait until the rollout may change without an event, because a
	// Lease ends; 0: it can't.
	recheck time.Duration
}

// rollout reports how far a route with a resourceVersion has come, "" for an endpoint
// without a route. From now on the endpoint is woken when that may change.
func (f *fleet) rollout(endpoint reconcile.Request, version string) rollout {
	f.mu.Lock()
	defer f.mu.Unlock()
	var result rollout
	for _, lease := range f.leases {
		left := lease.expiry().Sub(f.now())
		if left <= 0 {
			continue
		}
		result.live++
		if !lease.serves(version) {
			result.behind = append(result.behind, lease.receiver())
			result.recheck = max(result.recheck, left)
		}
	}
	slices.Sort(result.behind)
	known := f.endpoints[endpoint]
	if known == nil {
		known = &followed{outage: f.outage}
		f.endpoints[endpoint] = known
	}
	known.waits = result.live == 0 || len(result.behind) > 0
	result.outage = known.outage
	return result
}

// forget is for an endpoint that is gone.
func (f *fleet) forget(endpoint reconcile.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.endpoints, endpoint)
}

// keyUse sums up which keys of an endpoint the receivers have seen in use since a
// rotation started: the first use of the new key, and the last use of an older one. The
// last use is rounded down to the minute, so that a busy sender doesn't cause a write
// for every receiver.
func (f *fleet) keyUse(endpoint types.NamespacedName, rotation *compile.Rotation) (sum route.KeyUse) {
	if rotation == nil {
		return route.KeyUse{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, lease := range f.leases {
		use, ok := lease.keyUse()[endpoint.String()]
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

// source brings the events of Leases. The controller starts to reconcile when the fleet
// has seen every Lease that there is.
func (f *fleet) source(leases cache.Cache) source.Source {
	return source.Kind(leases, &coordination.Lease{}, handler.TypedFuncs[*coordination.Lease, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*coordination.Lease], q requestQueue) {
			f.seen(e.Object, q.Add)
		},
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*coordination.Lease], q requestQueue) {
			f.seen(e.ObjectNew, q.Add)
		},
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*coordination.Lease], q requestQueue) {
			f.gone(e.Object, q.Add)
		},
	})
}

// seen takes in a Lease that is new or changed. A receiver that comes concerns all
// endpoints; one that serves more concerns those that wait; the keys that it has seen
// in use concern the endpoints that it names. A mere renewal wakes no endpoint.
func (f *fleet) seen(lease *coordination.Lease, wake func(reconcile.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, known := f.leases[lease.Name]
	after := receiverLease{Lease: lease, renewalSeen: f.now(), alive: known}
	if known && before.Spec.RenewTime.Equal(lease.Spec.RenewTime) {
		after.renewalSeen, after.alive = before.renewalSeen, before.alive
	}
	after.failingSince = failingSince(before, after, known)
	f.leases[lease.Name] = after

	if known {
		wakeKeyUsers(before, after, wake)
	}
	f.reportStore(before, after)
	switch {
	case !known || !before.expiry().After(f.now()):
		f.wakeAll(wake)
	case before.Annotations[route.AnnotationServed] != lease.Annotations[route.AnnotationServed]:
		for endpoint, known := range f.endpoints {
			if known.waits {
				wake(endpoint)
			}
		}
	}
	f.judgeStore(wake)
	f.awaitLastExpiry(wake)
}

// gone takes in that a Lease was deleted, as a receiver does that shuts down.
func (f *fleet) gone(lease *coordination.Lease, wake func(reconcile.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.leases, lease.Name)
	f.wakeAll(wake)
	f.judgeStore(wake)
}

// wakeAll needs f.mu, as awaitLastExpiry does.
func (f *fleet) wakeAll(wake func(reconcile.Request)) {
	for endpoint := range f.endpoints {
		wake(endpoint)
	}
}

// awaitLastExpiry wakes all endpoints when no Lease is valid any more.
func (f *fleet) awaitLastExpiry(wake func(reconcile.Request)) {
	var left time.Duration
	for _, lease := range f.leases {
		left = max(left, lease.expiry().Sub(f.now()))
	}
	if left <= 0 {
		f.wakeAll(wake)
		f.judgeStore(wake)
		return
	}
	if f.lastExpiry != nil {
		f.lastExpiry.Stop()
	}
	f.lastExpiry = time.AfterFunc(left, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.awaitLastExpiry(wake)
	})
}

// wakeKeyUsers wakes the endpoints about whose keys a receiver says something new.
func wakeKeyUsers(before, after receiverLease, wake func(reconcile.Request)) {
	known := before.keyUse()
	for endpoint, use := range after.keyUse() {
		namespace, name, ok := strings.Cut(endpoint, "/")
		if ok && known[endpoint] != use {
			wake(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
		}
	}
}
