package controllers

import (
	"fmt"
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
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(rollout{}, outage{})); diff != "" {
				t.Errorf("rollout (-want +got):\n%s", diff)
			}
			if known := c.fleet.endpoints[orders]; known == nil || known.waits != c.waits {
				t.Errorf("the endpoint is known as %+v, want that it waits: %t", known, c.waits)
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
	f.endpoints[requestFor("shop", "a")] = &followed{}
	after := using(t, ago("a", "2", 0), map[string]route.KeyUse{"shop/a": {CurrentFirst: 1}, "shop/b": {CurrentFirst: 2}, "nowhere": {CurrentFirst: 1}})
	for when, want := range [][]reconcile.Request{{requestFor("shop", "b")}, nil} {
		var woken []reconcile.Request
		f.seen(after, func(endpoint reconcile.Request) { woken = append(woken, endpoint) })
		if diff := cmp.Diff(want, woken); diff != "" {
			t.Errorf("woken at the look %d (-want +got):\n%s", when, diff)
		}
	}
}

// finding lets the Lease of a receiver say how it finds the store.
func finding(lease *coordination.Lease, state route.StoreState, since time.Time) *coordination.Lease {
	lease.Annotations[route.AnnotationStore] = route.StoreView{State: state, Since: since}.String()
	return lease
}

// outageWorld is a fleet with some endpoints whose Leases a test renews.
type outageWorld struct {
	*fleet
	woken   int
	reports []string
}

func newOutageWorld(endpoints int) *outageWorld {
	w := &outageWorld{fleet: newFleet(time.Now)}
	w.report = func(lease *coordination.Lease, view route.StoreView) {
		w.reports = append(w.reports, *lease.Spec.HolderIdentity+" "+string(view.State))
	}
	for i := range endpoints {
		w.rollout(requestFor("shop", fmt.Sprint("e-", i)), "5")
	}
	return w
}

// say renews the Lease of a receiver.
func (w *outageWorld) say(receiver string, state route.StoreState, since time.Time) {
	lease := leaseOf(receiver, "5", time.Now())
	if state != "" {
		finding(lease, state, since)
	}
	w.seen(lease, func(reconcile.Request) { w.woken++ })
}

// told counts the endpoints that are told of an outage.
func (w *outageWorld) told() (told int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, known := range w.endpoints {
		if known.outage.state != "" {
			told++
		}
	}
	return told
}

func (w *outageWorld) expect(t *testing.T, when string, told int) {
	t.Helper()
	synctest.Wait()
	if got := w.told(); got != told {
		t.Errorf("%s, %d endpoints are told of an outage, want %d", when, got, told)
	}
}

func TestEndpointsAreToldOfAnOutageThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutageWorld(50)
		up := time.Now()
		w.say("a", route.StoreUp, up)
		w.say("b", route.StoreUp, up)
		w.say("old", "", up) // of a version that says nothing
		w.woken = 0
		renew := func(d time.Duration, a, b route.StoreState, since time.Time) {
			for range d / (10 * time.Second) {
				time.Sleep(10 * time.Second)
				w.say("a", a, since)
				w.say("b", b, since)
				w.say("old", "", since)
			}
		}
		away := time.Now()
		w.say("a", route.StoreAway, away)
		w.say("b", route.StoreAway, away)
		if want := []string{"a Away", "b Away"}; !slices.Equal(w.reports, want) {
			t.Errorf("reported is %v, want %v", w.reports, want)
		}
		renew(50*time.Second, route.StoreAway, route.StoreAway, away)
		w.expect(t, "for less than a minute", 0)
		if w.woken != 0 {
			t.Errorf("%d endpoints were woken by renewals", w.woken)
		}
		renew(10*time.Second, route.StoreAway, route.StoreAway, away)
		w.expect(t, "after a minute", 1)
		time.Sleep(time.Second)
		w.expect(t, "a second later", 21)
		if w.woken != 21 {
			t.Errorf("%d endpoints were woken, want 21", w.woken)
		}
		r := w.rollout(requestFor("shop", "new"), "5")
		if want := (outage{state: route.StoreAway, since: away.UTC().Truncate(time.Second)}); r.outage.state != want.state || !r.outage.since.Equal(want.since) {
			t.Errorf("a new endpoint is told %v, want %v", r.outage, want)
		}
		time.Sleep(4 * time.Second)
		w.expect(t, "then", 51)
		woken := w.woken

		w.say("c", route.StoreAway, time.Now()) // one that has just come
		w.gone(leaseOf("a", "5", time.Now()), func(reconcile.Request) {})
		w.say("b", route.StoreAway, away.Add(time.Second))
		w.woken = woken
		time.Sleep(5 * time.Second)
		w.expect(t, "as long as none is up", 51)
		if w.woken != woken {
			t.Errorf("%d endpoints were woken because receivers come and go", w.woken-woken)
		}
		w.say("b", route.StoreUp, time.Now())
		w.expect(t, "when one is up again", 50)
		time.Sleep(5 * time.Second)
		w.expect(t, "a while later", 0)
		if last := w.reports[len(w.reports)-1]; last != "b Up" {
			t.Errorf("reported is %s, want that b is up", last)
		}
	})
}

func TestWhatIsNoOutage(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	receiver := func(name string, state route.StoreState, since time.Time) *coordination.Lease {
		return finding(leaseOf(name, "5", noon), state, since)
	}
	garbled := leaseOf("a", "5", noon)
	garbled.Annotations[route.AnnotationStore] = "Away"
	for name, c := range map[string]struct {
		leases []*coordination.Lease
		want   route.StoreState
	}{
		"nobody":                       {nil, ""},
		"one that says nothing":        {[]*coordination.Lease{leaseOf("a", "5", noon)}, ""},
		"one that can't be understood": {[]*coordination.Lease{garbled}, ""},
		"all are up":                   {[]*coordination.Lease{receiver("a", route.StoreUp, ago(time.Hour))}, ""},
		"one of two is up":             {[]*coordination.Lease{receiver("a", route.StoreAway, ago(time.Hour)), receiver("b", route.StoreUp, ago(time.Hour))}, ""},
		"away for a moment":            {[]*coordination.Lease{receiver("a", route.StoreAway, ago(time.Second))}, ""},
		"away for a minute, when the manager comes": {[]*coordination.Lease{receiver("a", route.StoreAway, ago(time.Minute))}, route.StoreAway},
		"full":             {[]*coordination.Lease{receiver("a", route.StoreFull, ago(time.Minute))}, route.StoreFull},
		"full, and away":   {[]*coordination.Lease{receiver("a", route.StoreFull, ago(time.Hour)), receiver("b", route.StoreAway, ago(time.Second))}, route.StoreAway},
		"one that is dead": {[]*coordination.Lease{finding(leaseOf("a", "5", ago(time.Hour)), route.StoreAway, ago(time.Hour))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(atNoon)
			for _, lease := range c.leases {
				f.seen(lease, func(reconcile.Request) {})
			}
			if f.outage.state != c.want {
				t.Errorf("the outage is %+v, want %q", f.outage, c.want)
			}
			f.lastExpiry = stopped(f.lastExpiry)
		})
	}
}

func stopped(timer *time.Timer) *time.Timer {
	if timer != nil {
		timer.Stop()
	}
	return nil
}
