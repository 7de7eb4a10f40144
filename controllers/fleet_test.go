package controllers

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coordination "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// leaseOf is the Lease of a receiver that wrote at a time that it serves the routes up
// to a resourceVersion, for 40 seconds.
func leaseOf(receiver, served string, renewed time.Time) *coordination.Lease {
	return &coordination.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "sallyport-receiver-" + receiver,
			Annotations: map[string]string{route.AnnotationServed: served},
		},
		Spec: coordination.LeaseSpec{
			HolderIdentity:       &receiver,
			LeaseDurationSeconds: new(int32(40)),
			RenewTime:            new(metav1.NewMicroTime(renewed)),
		},
	}
}

// ago is leaseOf a receiver that wrote a while before noon.
func ago(receiver, served string, d time.Duration) *coordination.Lease {
	return leaseOf(receiver, served, noon.Add(-d))
}

// fleetOf is what a manager that starts at noon knows of Leases.
func fleetOf(leases ...*coordination.Lease) *fleet {
	f := newFleet(atNoon)
	for _, lease := range leases {
		f.leases[lease.Name] = receiverLease{Lease: lease, renewalSeen: noon}
	}
	return f
}

var orders = requestFor("shop", "orders")

func TestRollout(t *testing.T) {
	unrenewed, nameless := ago("a", "200", 0), ago("a", "9", 10*time.Second)
	unrenewed.Spec.RenewTime = nil
	nameless.Spec.HolderIdentity = nil

	for name, c := range map[string]struct {
		fleet   *fleet
		version string
		want    rollout
		waits   bool
	}{
		"nobody": {fleet: fleetOf(), version: "100", want: rollout{}, waits: true},
		"all serve it": {
			fleet: fleetOf(ago("a", "100", 0), ago("b", "250", 0)), version: "100",
			want: rollout{live: 2},
		},
		"versions are numbers, not text": {
			fleet: fleetOf(ago("a", "1000", 0)), version: "999",
			want: rollout{live: 1},
		},
		"laggards are named in order, and looked at again when the last Lease ends": {
			fleet: fleetOf(ago("c", "99", 30*time.Second), ago("b", "100", 0), ago("a", "9", 10*time.Second)), version: "100",
			want: rollout{live: 3, behind: []string{"a", "c"}, recheck: 30 * time.Second}, waits: true,
		},
		"a dead one does not count": {
			fleet: fleetOf(ago("a", "9", 41*time.Second), ago("b", "100", 0)), version: "100",
			want: rollout{live: 1},
		},
		"one whose Lease ends just now is dead": {
			fleet: fleetOf(ago("a", "100", 40*time.Second)), version: "100",
			want: rollout{}, waits: true,
		},
		"a Lease that was never renewed is nobody's": {
			fleet: fleetOf(unrenewed), version: "100",
			want: rollout{}, waits: true,
		},
		"one that does not say what it serves serves nothing": {
			fleet: fleetOf(ago("a", "", 0), ago("b", "many", 0)), version: "100",
			want: rollout{live: 2, behind: []string{"a", "b"}, recheck: 40 * time.Second}, waits: true,
		},
		"without a holder the name of the Lease stands for it": {
			fleet: fleetOf(nameless), version: "100",
			want: rollout{live: 1, behind: []string{"sallyport-receiver-a"}, recheck: 30 * time.Second}, waits: true,
		},
		"everybody serves no route": {
			fleet: fleetOf(ago("a", "", 0)), version: "",
			want: rollout{live: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.fleet.rollout(orders, c.version)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(rollout{})); diff != "" {
				t.Errorf("rollout (-want +got):\n%s", diff)
			}
			if waits, known := c.fleet.endpoints[orders]; !known || waits != c.waits {
				t.Errorf("the endpoint is known: %t, and waits: %t, want true and %t", known, waits, c.waits)
			}
		})
	}
}

// watched is a fleet in the time of a synctest bubble, whose endpoint orders has a
// route with the resourceVersion 5.
type watched struct {
	*fleet
	t     *testing.T
	woken []reconcile.Request
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{fleet: newFleet(time.Now), t: t}
	w.rollout(orders, "5")
	return w
}

func (w *watched) wake(endpoint reconcile.Request) { w.woken = append(w.woken, endpoint) }

// expect checks who was woken since the last look, and what comes of that.
func (w *watched) expect(when string, live int, woken ...reconcile.Request) {
	w.t.Helper()
	synctest.Wait()
	got := slices.CompactFunc(w.woken, func(a, b reconcile.Request) bool { return a == b }) // as a queue does
	w.woken = nil
	if !slices.Equal(got, woken) {
		w.t.Errorf("%s, %v are woken, want %v", when, got, woken)
	}
	if r := w.rollout(orders, "5"); r.live != live {
		w.t.Errorf("%s, %d receivers are alive, want %d", when, r.live, live)
	}
}

func TestWhomALeaseWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.seen(leaseOf("a", "4", time.Now()), w.wake)
		w.expect("when a receiver comes", 1, orders)
		time.Sleep(10 * time.Second)
		w.seen(leaseOf("a", "4", time.Now()), w.wake)
		w.expect("when it renews its Lease", 1)
		w.seen(leaseOf("a", "5", time.Now()), w.wake)
		w.expect("when it serves more", 1, orders)
		w.seen(leaseOf("a", "6", time.Now()), w.wake)
		w.expect("when it serves more, and nobody waits", 1)
		time.Sleep(40*time.Second - time.Nanosecond)
		w.expect("as long as the Lease lasts", 1)
		time.Sleep(time.Nanosecond)
		w.expect("when nobody has renewed the last Lease", 0, orders)
		w.seen(leaseOf("a", "6", time.Now()), w.wake)
		w.expect("when the receiver is back", 1, orders)
		w.seen(leaseOf("b", "6", time.Now()), w.wake)
		w.expect("when another one comes", 2, orders)
		w.gone(leaseOf("a", "6", time.Now()), w.wake)
		w.expect("when one shuts down", 1, orders)
		w.forget(orders)
		w.gone(leaseOf("b", "6", time.Now()), w.wake)
		w.expect("when the endpoint is gone", 0)
	})
}

// What is in a Lease is the time of the receiver's clock, and whether the receiver is
// alive is judged by the manager's.
func TestClocksDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		behind := func() *coordination.Lease { return leaseOf("behind", "5", time.Now().Add(-time.Hour)) }
		w.seen(behind(), w.wake)
		w.expect("when a Lease of an hour ago is seen for the first time", 0, orders)
		time.Sleep(time.Second)
		w.seen(behind(), w.wake)
		w.expect("when it is renewed", 1, orders)
		time.Sleep(40*time.Second - time.Nanosecond)
		w.expect("as long as it lasts from then on", 1)
		time.Sleep(time.Nanosecond)
		w.expect("when nobody has renewed it for so long", 0, orders)

		w.seen(leaseOf("ahead", "5", time.Now().Add(time.Hour)), w.wake)
		w.expect("when a Lease of the future is seen", 1, orders)
		time.Sleep(40 * time.Second)
		w.expect("when it has lasted since it was seen", 0, orders)

		w.seen(behind(), w.wake)
		w.gone(behind(), w.wake)
		w.expect("when the one that is behind leaves", 0, orders)
		w.seen(behind(), w.wake)
		w.expect("when it is seen again for the first time", 0, orders)
	})
}

// using lets the Lease of a receiver speak of keys.
func using(t *testing.T, lease *coordination.Lease, use map[string]route.KeyUse) *coordination.Lease {
	t.Helper()
	text, err := route.EncodeKeyUse(use)
	if err != nil {
		t.Fatal(err)
	}
	lease.Annotations[route.AnnotationKeyUse] = text
	return lease
}

func TestKeyUse(t *testing.T) {
	rotation := &compile.Rotation{PreviousEnds: time.Unix(5000, 0)}
	lease := func(receiver string, use route.KeyUse) *coordination.Lease {
		return using(t, ago(receiver, "1", 0), map[string]route.KeyUse{"shop/orders": use, "shop/other": {PreviousEnds: 5000, CurrentFirst: 1}})
	}
	garbled := ago("a", "1", 0)
	garbled.Annotations[route.AnnotationKeyUse] = "{"
	for name, c := range map[string]struct {
		fleet    *fleet
		rotation *compile.Rotation
		want     route.KeyUse
	}{
		"nobody":      {fleetOf(), rotation, route.KeyUse{}},
		"no rotation": {fleetOf(lease("a", route.KeyUse{PreviousEnds: 5000, CurrentFirst: 7})), nil, route.KeyUse{}},
		"the first and the last count": {
			fleetOf(
				lease("a", route.KeyUse{PreviousEnds: 5000, CurrentFirst: 400, PreviousLast: 480}),
				lease("b", route.KeyUse{PreviousEnds: 5000, PreviousLast: 600}),
				lease("c", route.KeyUse{PreviousEnds: 5000, CurrentFirst: 300}),
			), rotation, route.KeyUse{CurrentFirst: 300, PreviousLast: 600},
		},
		"of another rotation nothing counts":   {fleetOf(lease("a", route.KeyUse{PreviousEnds: 4000, CurrentFirst: 7})), rotation, route.KeyUse{}},
		"the last use counts to the minute":    {fleetOf(lease("a", route.KeyUse{PreviousEnds: 5000, PreviousLast: 659})), rotation, route.KeyUse{PreviousLast: 600}},
		"who can't be understood says nothing": {fleetOf(garbled, ago("b", "1", 0)), rotation, route.KeyUse{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.fleet.keyUse(orders.NamespacedName, c.rotation)); diff != "" {
				t.Errorf("use (-want +got):\n%s", diff)
			}
		})
	}
}

// Only those endpoints are woken of which something new is said.
func TestWhomKeyUseWakes(t *testing.T) {
	f := fleetOf(using(t, ago("a", "1", 0), map[string]route.KeyUse{"shop/a": {CurrentFirst: 1}, "shop/b": {CurrentFirst: 1}, "shop/gone": {CurrentFirst: 1}}))
	f.endpoints[requestFor("shop", "a")] = false
	after := using(t, ago("a", "2", 0), map[string]route.KeyUse{"shop/a": {CurrentFirst: 1}, "shop/b": {CurrentFirst: 2}, "nowhere": {CurrentFirst: 1}})
	for when, want := range [][]reconcile.Request{{requestFor("shop", "b")}, nil} {
		var woken []reconcile.Request
		f.seen(after, func(endpoint reconcile.Request) { woken = append(woken, endpoint) })
		if diff := cmp.Diff(want, woken); diff != "" {
			t.Errorf("woken at the look %d (-want +got):\n%s", when, diff)
		}
	}
}
