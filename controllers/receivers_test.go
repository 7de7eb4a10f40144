package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordination "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// leaseOf is the Lease of a receiver that told a while ago, for 40 seconds, that
// it serves the routes up to a resourceVersion.
func leaseOf(receiver, served string, ago time.Duration) coordination.Lease {
	return coordination.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "sallyport-receiver-" + receiver,
			Annotations: map[string]string{route.AnnotationServed: served},
		},
		Spec: coordination.LeaseSpec{
			HolderIdentity:       &receiver,
			LeaseDurationSeconds: ptr.To[int32](40),
			RenewTime:            new(metav1.NewMicroTime(noon.Add(-ago))),
		},
	}
}

// setOf is what a manager that starts at noon makes of Leases.
func setOf(leases ...coordination.Lease) receiverSet {
	var seen sightings
	set := make(receiverSet, len(leases))
	for i := range leases {
		set[i] = receiverLease{leases[i], seen.end(&leases[i], noon)}
	}
	return set
}

// What is in a Lease is the time of the receiver's clock, and whether it is alive is
// judged by the manager's.
func TestClocksDiffer(t *testing.T) {
	const lasting = 40 * time.Second
	var seen sightings
	behind := leaseOf("a", "9", time.Hour)
	if end := seen.end(&behind, noon); end.After(noon) {
		t.Errorf("a Lease of an hour ago that is seen for the first time ends at %v", end)
	}
	renewed := leaseOf("a", "9", time.Hour-10*time.Second)
	at := noon.Add(10 * time.Second)
	if !seen.ended(&behind, at) {
		t.Error("a Lease of an hour ago has not ended before it is renewed")
	}
	if end := seen.end(&renewed, at); !end.Equal(at.Add(lasting)) {
		t.Errorf("a Lease that was seen to be renewed at %v ends at %v", at, end)
	}
	if seen.ended(&renewed, at.Add(lasting-1)) || !seen.ended(&renewed, at.Add(lasting)) {
		t.Error("a Lease of a clock that is behind does not end when nobody has renewed it for as long as it lasts")
	}
	ahead := leaseOf("b", "9", -time.Hour)
	if end := seen.end(&ahead, noon); !end.Equal(noon.Add(lasting)) {
		t.Errorf("a Lease of a clock that is ahead ends at %v, want it %v after it was seen", end, lasting)
	}
	seen.forget(behind.Name)
	if end := seen.end(&renewed, at); end.After(at) {
		t.Errorf("a Lease of a clock that is behind ends at %v after it was forgotten", end)
	}
}

func TestServe(t *testing.T) {
	unrenewed, nameless := leaseOf("a", "200", 0), leaseOf("a", "9", 10*time.Second)
	unrenewed.Spec.RenewTime = nil
	nameless.Spec.HolderIdentity = nil

	for name, c := range map[string]struct {
		leases  receiverSet
		version string
		want    serving
	}{
		"nobody": {version: "100", want: serving{}},
		"all serve it": {
			leases: setOf(leaseOf("a", "100", 0), leaseOf("b", "250", 0)), version: "100",
			want: serving{live: 2},
		},
		"versions are numbers, not text": {
			leases: setOf(leaseOf("a", "1000", 0)), version: "999",
			want: serving{live: 1},
		},
		"laggards are named in order, and looked at again when the last Lease ends": {
			leases: setOf(leaseOf("c", "99", 30*time.Second), leaseOf("b", "100", 0), leaseOf("a", "9", 10*time.Second)), version: "100",
			want: serving{live: 3, behind: []string{"a", "c"}, recheck: 30 * time.Second},
		},
		"a dead one does not count": {
			leases: setOf(leaseOf("a", "9", 41*time.Second), leaseOf("b", "100", 0)), version: "100",
			want: serving{live: 1},
		},
		"one whose Lease ends just now is dead": {
			leases: setOf(leaseOf("a", "100", 40*time.Second)), version: "100",
			want: serving{},
		},
		"a Lease that was never renewed is nobody's": {
			leases: setOf(unrenewed), version: "100",
			want: serving{},
		},
		"one that does not say what it serves serves nothing": {
			leases: setOf(leaseOf("a", "", 0), leaseOf("b", "many", 0)), version: "100",
			want: serving{live: 2, behind: []string{"a", "b"}, recheck: 40 * time.Second},
		},
		"without a holder the Lease's own name is told": {
			leases: setOf(nameless), version: "100",
			want: serving{live: 1, behind: []string{"sallyport-receiver-a"}, recheck: 30 * time.Second},
		},
		"everybody serves no route": {
			leases: setOf(leaseOf("a", "", 0)), version: "",
			want: serving{live: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.leases.serve(c.version, noon)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(serving{})); diff != "" {
				t.Errorf("serve (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoWaits(t *testing.T) {
	for name, c := range map[string]struct {
		serving serving
		want    bool
	}{
		"nobody is there":         {serving{}, true},
		"one is behind":           {serving{live: 2, behind: []string{"a"}}, true},
		"all serve it":            {serving{live: 2}, false},
		"a dead one is no reason": {setOf(leaseOf("a", "1", time.Hour), leaseOf("b", "5", 0)).serve("5", noon), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.serving.waiting(); got != c.want {
				t.Errorf("waiting is %t, want %t", got, c.want)
			}
		})
	}
}

func TestLast(t *testing.T) {
	for name, c := range map[string]struct {
		leases receiverSet
		want   time.Duration
	}{
		"nobody":              {nil, 0},
		"only dead ones":      {setOf(leaseOf("a", "1", time.Hour)), 0},
		"the last one counts": {setOf(leaseOf("a", "1", 39*time.Second), leaseOf("b", "1", 10*time.Second), leaseOf("c", "1", time.Hour)), 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.leases.last(noon); got != c.want {
				t.Errorf("the last Lease ends in %v, want %v", got, c.want)
			}
		})
	}
}

func TestWaitingSet(t *testing.T) {
	var waiting waitingSet
	a, b := requestFor("shop", "a"), requestFor("shop", "b")
	waiting.remove(a)
	waiting.add(a)
	waiting.add(a)
	waiting.add(b)
	waiting.remove(b)
	if diff := cmp.Diff([]reconcile.Request{a}, waiting.list()); diff != "" {
		t.Errorf("who waits (-want +got):\n%s", diff)
	}
}

// using lets the Lease of a receiver speak of keys.
func using(t *testing.T, lease coordination.Lease, use map[string]route.KeyUse) coordination.Lease {
	t.Helper()
	text, err := route.EncodeKeyUse(use)
	if err != nil {
		t.Fatal(err)
	}
	lease.Annotations[route.AnnotationKeyUse] = text
	return lease
}

func TestKeyUse(t *testing.T) {
	orders, rotation := requestFor("shop", "orders").NamespacedName, &compile.Rotation{PreviousEnds: time.Unix(5000, 0)}
	lease := func(use route.KeyUse) coordination.Lease {
		return using(t, leaseOf("a", "1", 0), map[string]route.KeyUse{"shop/orders": use, "shop/other": {PreviousEnds: 5000, CurrentFirst: 1}})
	}
	garbled := leaseOf("a", "1", 0)
	garbled.Annotations[route.AnnotationKeyUse] = "{"
	for name, c := range map[string]struct {
		leases   receiverSet
		rotation *compile.Rotation
		want     route.KeyUse
	}{
		"nobody":      {nil, rotation, route.KeyUse{}},
		"no rotation": {setOf(lease(route.KeyUse{PreviousEnds: 5000, CurrentFirst: 7})), nil, route.KeyUse{}},
		"the first and the last count": {
			setOf(
				lease(route.KeyUse{PreviousEnds: 5000, CurrentFirst: 400, PreviousLast: 480}),
				lease(route.KeyUse{PreviousEnds: 5000, PreviousLast: 600}),
				lease(route.KeyUse{PreviousEnds: 5000, CurrentFirst: 300}),
			), rotation, route.KeyUse{CurrentFirst: 300, PreviousLast: 600},
		},
		"of another rotation nothing counts":   {setOf(lease(route.KeyUse{PreviousEnds: 4000, CurrentFirst: 7})), rotation, route.KeyUse{}},
		"the last use counts to the minute":    {setOf(lease(route.KeyUse{PreviousEnds: 5000, PreviousLast: 659})), rotation, route.KeyUse{PreviousLast: 600}},
		"who can't be understood says nothing": {setOf(garbled, leaseOf("b", "1", 0)), rotation, route.KeyUse{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.leases.keyUse(orders, c.rotation)); diff != "" {
				t.Errorf("use (-want +got):\n%s", diff)
			}
		})
	}
}

// Only those endpoints are looked at of which something new is said.
func TestUsesDiffer(t *testing.T) {
	before := using(t, leaseOf("a", "1", 0), map[string]route.KeyUse{"shop/a": {CurrentFirst: 1}, "shop/b": {CurrentFirst: 1}, "shop/gone": {CurrentFirst: 1}})
	after := using(t, leaseOf("a", "2", 0), map[string]route.KeyUse{"shop/a": {CurrentFirst: 1}, "shop/b": {CurrentFirst: 2}, "nowhere": {CurrentFirst: 1}})
	if diff := cmp.Diff([]reconcile.Request{requestFor("shop", "b")}, usesDiffer(&before, &after)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got := usesDiffer(&after, &after); got != nil {
		t.Errorf("without a difference there are %v", got)
	}
}
