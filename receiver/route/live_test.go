package route

import (
	"sync"
	"testing"
	"time"
)

func TestEqualInputKeepsTheTable(t *testing.T) {
	live := NewLive("cluster.local")
	objects := testObjects(t, 3)
	if !live.Replace(objects) {
		t.Fatal("the first list changes nothing")
	}
	table := live.Table()
	if live.Replace(testObjects(t, 3)) || live.Table() != table {
		t.Error("an equal list has made another table")
	}
	same := testObject(t, testRoute("e-1"))
	if live.Apply(map[string]*Object{same.Name: &same, "billing.unknown": nil}) || live.Table() != table {
		t.Error("an equal change has made another table")
	}
}

func TestOnlyWhatChangesIsCompiledAgain(t *testing.T) {
	live := NewLive("cluster.local")
	live.Replace(testObjects(t, 3))
	before := live.Table()
	changed := testRoute("e-1")
	changed.Limits.MaxBodyBytes++
	object := testObject(t, changed)
	if !live.Apply(map[string]*Object{object.Name: &object}) {
		t.Fatal("the change changes nothing")
	}
	after := live.Table()
	for _, name := range []string{"billing/e-0", "billing/e-2"} {
		if before.Endpoint(name) != after.Endpoint(name) {
			t.Errorf("%s was compiled again", name)
		}
	}
	if got := after.Endpoint("billing/e-1").Route.Limits.MaxBodyBytes; got != changed.Limits.MaxBodyBytes {
		t.Errorf("the change is not in the table: %d", got)
	}
	if before.Endpoint("billing/e-1").Route.Limits.MaxBodyBytes == changed.Limits.MaxBodyBytes {
		t.Error("the table before has changed")
	}
}

// A cluster without routes is one whose routes are known, too.
func TestTableSaysWhenItHoldsAllRoutes(t *testing.T) {
	live := NewLive("cluster.local")
	object := testObjects(t, 1)[0]
	live.Apply(map[string]*Object{object.Name: &object})
	if live.Table().Listed() {
		t.Error("single changes are not a list")
	}
	live.Apply(map[string]*Object{object.Name: nil})
	if live.Replace(nil) || !live.Table().Listed() {
		t.Error("an empty list is not known to be one")
	}
	table := live.Table()
	if live.Replace(nil) || live.Table() != table {
		t.Error("the same list has made another table")
	}
	live.Apply(map[string]*Object{object.Name: &object})
	if !live.Table().Listed() {
		t.Error("a change makes the table forget that it was listed")
	}
}

func TestRemovedRouteIsGone(t *testing.T) {
	live := NewLive("cluster.local")
	live.Replace(testObjects(t, 3))
	if !live.Apply(map[string]*Object{"billing.e-1": nil}) || live.Table().Endpoint("billing/e-1") != nil || live.Table().Lookup("/billing/e-1", "") != nil {
		t.Error("a removed route is still there")
	}
	if !live.Replace(testObjects(t, 1)) || live.Table().Len() != 1 {
		t.Errorf("a list without it does not remove a route: %d are left", live.Table().Len())
	}
	if !live.Replace(nil) || live.Table().Len() != 0 {
		t.Error("an empty list does not remove the last route")
	}
}

func TestWhatCountsOutlivesChangesOfTheRoute(t *testing.T) {
	live := NewLive("cluster.local")
	limited := testRoute("stripe")
	limited.Limits.RateLimit = &RateLimit{PerSecond: 1, Burst: 2}
	apply := func(change func(*Route)) *Entry {
		change(&limited)
		object := testObject(t, limited)
		live.Apply(map[string]*Object{object.Name: &object})
		return live.Table().Endpoint("billing/stripe")
	}
	first := apply(func(*Route) {})
	now := time.Unix(1, 0)
	first.Rate.AllowN(now, 2)

	second := apply(func(r *Route) { r.Endpoint.Generation++ })
	if second == first || second.Handshakes != first.Handshakes || second.Rate.AllowN(now, 1) {
		t.Error("a change of something else has reset the counters")
	}
	third := apply(func(r *Route) { r.Limits.RateLimit = &RateLimit{PerSecond: 5, Burst: 5} })
	if third.Rate == first.Rate || third.Rate.Burst() != 5 {
		t.Error("a change of the limit is not in force")
	}
	if fourth := apply(func(r *Route) { r.Limits.RateLimit = nil }); fourth.Rate != nil {
		t.Error("the limit is still there after it was taken away")
	}
}

func TestLiveIsSafeForConcurrentUse(t *testing.T) {
	live := NewLive("cluster.local")
	objects := testObjects(t, 10)
	var users sync.WaitGroup
	for i := range 4 {
		users.Go(func() {
			for j := range 200 {
				o := objects[(i+j)%len(objects)]
				switch j % 3 {
				case 0:
					live.Apply(map[string]*Object{o.Name: &o})
				case 1:
					live.Apply(map[string]*Object{o.Name: nil})
				default:
					if entry := live.Table().Lookup("/billing/e-1", ""); entry != nil && entry.Name != "billing/e-1" {
						t.Errorf("the path leads to %s", entry.Name)
					}
				}
			}
		})
	}
	users.Wait()
}

// One changed route among 10,000.
func BenchmarkApplyOneOf10000(b *testing.B) {
	live := NewLive("cluster.local")
	live.Replace(testObjects(b, 10_000))
	changed := testRoute("e-5000")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		changed.Endpoint.Generation = int64(i)
		b.StopTimer()
		object := testObject(b, changed)
		b.StartTimer()
		if !live.Apply(map[string]*Object{object.Name: &object}) {
			b.Fatal("nothing has changed")
		}
	}
}

// The first list of a receiver that starts.
func BenchmarkReplace10000(b *testing.B) {
	objects := testObjects(b, 10_000)
	for b.Loop() {
		NewLive("cluster.local").Replace(objects)
	}
}

func BenchmarkLookup(b *testing.B) {
	live := NewLive("cluster.local")
	live.Replace(testObjects(b, 10_000))
	b.ReportAllocs()
	for b.Loop() {
		if live.Table().Lookup("/billing/e-777", "hooks.example.com") == nil {
			b.Fatal("not found")
		}
	}
}
