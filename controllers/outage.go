package controllers

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	coordination "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sallyport.dev/sallyport/receiver/route"
)

// An outage of the store concerns every endpoint, and must not become a write for each at
// once. So each receiver tells it in its Lease object, which is one write; the manager makes
// a Kubernetes Event on that object and a metric of it; and only an outage that lasts comes
// into the conditions of endpoints, some a second.
const (
	// outagePatience is how long an outage lasts before endpoints are told.
	outagePatience = time.Minute
	// outagePace is the time between two endpoints that are told, and with it between two
	// writes: 20 a second.
	outagePace = 50 * time.Millisecond
)

// receiversByStore is kept by the fleet of the manager that leads.
var receiversByStore = promauto.With(metrics.Registry).NewGaugeVec(prometheus.GaugeOpts{
	Namespace: "sallyport", Name: "receivers", Help: "Live receivers, by how they find Redis: Up, Away, Full, Unknown.",
}, []string{"store"})

// storeUnknown is the label of a receiver that says nothing of the store.
const storeUnknown route.StoreState = "Unknown"

// outage is that no receiver can store events.
type outage struct {
	state route.StoreState // empty: they can
	since time.Time
}

// String says it to whoever looks at an endpoint.
func (o outage) String() string {
	what := "The receivers can't reach Redis"
	if o.state == route.StoreFull {
		what = "Redis is full"
	}
	return fmt.Sprintf("%s since %s: senders get 503 and are asked to come again.", what, o.since.UTC().Format(time.RFC3339))
}

// storeView reads how the receiver finds the store; zero if it does not say, or can't be
// understood. The zero Lease says nothing.
func (l receiverLease) storeView() route.StoreView {
	if l.Lease == nil {
		return route.StoreView{}
	}
	view, err := route.ParseStoreView(l.Annotations[route.AnnotationStore])
	if err != nil {
		return route.StoreView{}
	}
	return view
}

// failingSince is since when a receiver can't store events. A manager that has just
// started believes the receiver, so that it does not take an outage back for a minute.
func failingSince(before, after receiverLease, known bool) time.Time {
	view := after.storeView()
	switch {
	case !view.Fails():
		return time.Time{}
	case !before.failingSince.IsZero():
		return before.failingSince
	case !known && view.Since.Before(after.renewalSeen):
		return view.Since
	}
	return after.renewalSeen
}

// judgeStore finds out whether the receivers can store events, and lets endpoints be told.
// It needs f.mu.
func (f *fleet) judgeStore(wake func(reconcile.Request)) {
	found := f.findOutage()
	if found.state == f.outage.state {
		return // since when it is, does not change, whichever receivers come and go
	}
	f.outage = found
	if !f.telling {
		f.tellOutage(wake)
	}
}

// findOutage sums up what live receivers say. It is an outage if none of those that say
// something can store events, and one has not been able to for a minute: while one can,
// senders that come again get through.
func (f *fleet) findOutage() (found outage) {
	now, lasts := f.now(), false
	counts := map[route.StoreState]int{route.StoreUp: 0, route.StoreAway: 0, route.StoreFull: 0, storeUnknown: 0}
	for _, lease := range f.leases {
		view := lease.storeView()
		switch {
		case !lease.expiry().After(now):
			continue
		case view.Fails():
			lasts = lasts || now.Sub(lease.failingSince) >= outagePatience
			found.add(view)
		case view.State != route.StoreUp:
			view.State = storeUnknown
		}
		counts[view.State]++
	}
	for state, n := range counts {
		receiversByStore.WithLabelValues(string(state)).Set(float64(n))
	}
	if counts[route.StoreUp] > 0 || !lasts {
		return outage{}
	}
	return found
}

// add takes in what a receiver says that can't store events.
func (o *outage) add(view route.StoreView) {
	if o.state == "" || view.Since.Before(o.since) {
		o.since = view.Since
	}
	if o.state != route.StoreAway {
		o.state = view.State
	}
}

// tellOutage wakes one endpoint that was told something else, and the next after a while,
// until there is none. It needs f.mu.
func (f *fleet) tellOutage(wake func(reconcile.Request)) {
	f.telling = false
	for endpoint, known := range f.endpoints {
		if known.outage == f.outage {
			continue
		}
		known.outage, f.telling = f.outage, true
		wake(endpoint)
		time.AfterFunc(outagePace, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.tellOutage(wake)
		})
		return
	}
}

// reportStore reports that a receiver can't store events any more, or can again.
func (f *fleet) reportStore(before, after receiverLease) {
	was, is := before.storeView(), after.storeView()
	if f.report != nil && is.State != was.State && (is.Fails() || was.Fails()) {
		f.report(after.Lease, is)
	}
}

// Reasons of the Events on Lease objects.
const (
	reasonStoreAway = "StoreAway"
	reasonStoreFull = "StoreFull"
	reasonStoreUp   = "StoreUp"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch,namespace=sallyport-system

// reportTo makes Kubernetes Events, on the Lease object of the receiver.
func reportTo(recorder events.EventRecorder) func(*coordination.Lease, route.StoreView) {
	return func(lease *coordination.Lease, view route.StoreView) {
		since, receiver := view.Since.UTC().Format(time.RFC3339), receiverLease{Lease: lease}.receiver()
		switch view.State {
		case route.StoreAway:
			recorder.Eventf(lease, nil, corev1.EventTypeWarning, reasonStoreAway, "Store", "The receiver %s can't reach Redis since %s: senders get 503.", receiver, since)
		case route.StoreFull:
			recorder.Eventf(lease, nil, corev1.EventTypeWarning, reasonStoreFull, "Store", "Redis is full, says the receiver %s, since %s: senders get 503.", receiver, since)
		case route.StoreUp:
			recorder.Eventf(lease, nil, corev1.EventTypeNormal, reasonStoreUp, "Store", "The receiver %s stores events again since %s.", receiver, since)
		}
	}
}
