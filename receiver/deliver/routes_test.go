package deliver

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// acceptFor stores an event for several targets and offers each delivery.
func (w *world) acceptFor(d *Dispatcher, endpoint, id string, targets ...string) {
	w.t.Helper()
	e := &store.Event{Meta: event.Meta{Endpoint: endpoint, Provider: "github", ID: id, Type: "push", ReceivedAt: w.now()}, Method: http.MethodPost, Body: []byte("body")}
	outcome, leases, err := w.store.Accept(w.t.Context(), e, store.AcceptOptions{Window: time.Hour, Lease: Lease, Targets: targets})
	if err != nil || outcome != store.Accepted || len(leases) != len(targets) {
		w.t.Fatalf("Accept(%s) = %s, %d leases, %v", id, outcome, len(leases), err)
	}
	for _, lease := range leases {
		d.Offer(e, lease)
	}
}

// withRoutes leads the named routes of an endpoint to the targets of others.
func (w *world) withRoutes(endpoint string, names ...string) {
	w.t.Helper()
	w.setRoute(endpoint, func(r *route.Route) {
		for _, name := range names {
			target := r.Target
			target.Service = name
			r.Routes = append(r.Routes, route.EventRoute{Name: name, Target: target})
		}
	})
}

// TestEachRouteHasItsOwnDelivery: what one target says is nothing to the others.
func TestEachRouteHasItsOwnDelivery(t *testing.T) {
	w := newWorld(t)
	w.target("good", answering(200))
	w.target("gone", answering(410))
	endpoint := w.target("rest", answering(200))
	w.withRoutes(endpoint, "good", "gone")
	w.acceptFor(w.run(), endpoint, "1", "good", "gone", "")
	got := map[string]audit.Status{}
	for range 3 {
		r := await(t, w.records, "a record")
		got[r.Target] = r.Status
	}
	want := map[string]audit.Status{"team/good:80": audit.Delivered, "team/gone:80": audit.DeadLettered, "team/rest:80": audit.Delivered}
	for target, status := range want {
		if got[target] != status {
			t.Errorf("%s: %s, want %s", target, got[target], status)
		}
	}
	w.wantStored(0, 1)
}

// TestDeliveryWaitsForItsRouteToComeBack, and doesn't go to another one's target.
func TestDeliveryWaitsForItsRouteToComeBack(t *testing.T) {
	w := newWorld(t)
	w.target("audit", answering(200))
	endpoint := w.target("rest", answering(500))
	d := w.run()
	w.acceptFor(d, endpoint, "1", "audit")
	w.withRoutes(endpoint, "audit")
	if r := w.want(audit.Delivered, 1); r.Target != "team/audit:80" {
		t.Errorf("it went to %q", r.Target)
	}
}

// TestDeliveryOfARouteThatIsGoneIsADeadLetterInTheEnd.
func TestDeliveryOfARouteThatIsGoneIsADeadLetterInTheEnd(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("rest", answering(200))
	w.acceptFor(w.run(), endpoint, "1", "audit", "")
	w.want(audit.Delivered, 1)
	w.advance(73 * time.Hour)
	r := w.want(audit.DeadLettered, 0)
	if r.Target != "" || r.ErrorMessage != "the endpoint has no target any more that the delivery is for" {
		t.Errorf("the record is %+v", r)
	}
	w.wantStored(0, 1)
}

// TestTargetThatWasTakenAwayGetsNothing: an endpoint may have routes alone.
func TestTargetThatWasTakenAwayGetsNothing(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("rest", answering(200))
	w.withRoutes(endpoint, "audit")
	w.setRoute(endpoint, func(r *route.Route) { r.Target = route.Target{} })
	r, _ := w.Route(endpoint)
	d := w.dispatcher()
	for name, want := range map[string]bool{"": false, "audit": true, "other": false} {
		got, reason := d.core.routeTo(targetID{endpoint, name}, w.now())
		if (reason == "") != want || want && !slices.Contains([]string{"audit"}, got.Target.Service) {
			t.Errorf("%q of %d routes leads to %q: %q", name, len(r.Routes), got.Target.Service, reason)
		}
	}
}
