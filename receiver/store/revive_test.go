package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

func toTargets(o AcceptOptions, names ...string) AcceptOptions {
	o.Targets = names
	return o
}

// deadLetter gives up a delivery that is leased.
func deadLetter(t *testing.T, s *Store, l Lease) {
	t.Helper()
	must(t, s.DeadLetter(t.Context(), l, Failure{Attempts: 12, Error: "the target answered 500"}))
}

// claimedTargets are the targets of what is due, which it delivers.
func claimedTargets(t *testing.T, s *Store, want int) []string {
	t.Helper()
	var names []string
	for _, d := range claim(t, s, want) {
		if d.Failure.Attempts != 0 || d.Failure.Since.IsZero() || string(d.Event.Body) != string(sampleEvent("team/hooks", d.Event.ID).Body) {
			t.Errorf("what is revived is %+v with the body %q", d.Failure, d.Event.Body)
		}
		names = append(names, d.Lease.Target)
		must(t, s.Delivered(t.Context(), d.Lease))
	}
	slices.Sort(names)
	return names
}

// wantNothingStored wants that only markers are left, and all is counted right.
func wantNothingStored(t *testing.T, s *Store) {
	t.Helper()
	wantStats(t, s, 0, 0, 0)
	usage, err := s.Usage(t.Context(), []string{"team/hooks"})
	if err != nil || usage[0] != (Usage{Endpoint: "team/hooks"}) {
		t.Errorf("counted are %+v, %v, want nothing", usage, err)
	}
	if got, err := s.Recount(t.Context()); err != nil || got != (Recounted{}) {
		t.Errorf("Recount = %+v, %v, want that all is counted right", got, err)
	}
}

// The same content under another id is a copy, too: it revives what was given up.
func TestReplayedContentRevives(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	deadLetter(t, s, accept(t, s, "1", withContent('x'), Accepted)[0])
	accept(t, s, "2", withContent('x'), Revived)
	wantStats(t, s, 1, 0, 0)
	accept(t, s, "2", withContent('x'), ContentReplayed)
	backlogs, err := s.Backlogs(t.Context())
	if err != nil || len(backlogs) != 1 {
		t.Fatalf("Backlogs = %v, %v, want what was revived", backlogs, err)
	}
	c, err := s.Refill(t.Context(), backlogs[0], RefillOptions{Max: 9, MaxBytes: 1 << 20, Lease: testLease})
	if err != nil || len(c.Deliveries) != 1 || c.Deliveries[0].Event.ID != "1" || c.Deliveries[0].Failure.Attempts != 0 {
		t.Fatalf("Refill = %+v, %v", c, err)
	}
	must(t, s.Delivered(t.Context(), c.Deliveries[0].Lease))
	accept(t, s, "3", withContent('x'), ContentReplayed)
	wantNothingStored(t, s)
}

// A sender that waits for the target revives what was stored before its endpoint's mode
// changed.
func TestReplayedContentRevivesWithSync(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	deadLetter(t, s, accept(t, s, "1", withContent('x'), Accepted)[0])
	o := BeginOptions{Window: testWindow, Lease: testLease, Content: withContent('x').Content}
	if got, _, err := s.Begin(t.Context(), "team/hooks", "2", o); err != nil || got != ContentDelivered {
		t.Fatalf("Begin = %s, %v", got, err)
	}
	wantStats(t, s, 1, 0, 0)
}

// Dead letters of routes that the endpoint has not any more go to those that take the
// event now.
func TestACopyRevivesWhatIsOfARenamedRoute(t *testing.T) {
	for name, test := range map[string]struct {
		before, after, want []string
		delivered           int // of before, so many
	}{
		"a route is renamed":           {[]string{"old"}, []string{"new"}, []string{"new"}, 0},
		"routes are added":             {[]string{""}, []string{"a", "b"}, []string{"a", "b"}, 0},
		"routes are removed":           {[]string{"a", "b"}, []string{""}, []string{""}, 0},
		"one of two, the other is out": {[]string{"a", "old"}, []string{"a", "new"}, []string{"new"}, 1},
		"one of two":                   {[]string{"a", "old"}, []string{"a", "new"}, nil, 0}, // "a" is revived
	} {
		for kind, o := range map[string]AcceptOptions{"the same id": testOptions, "the same content": withContent('x')} {
			t.Run(name+", "+kind, func(t *testing.T) {
				clock := newFakeClock()
				s := openStore(t, redistest.Start(t), clock)
				for i, l := range accept(t, s, "1", toTargets(o, test.before...), Accepted) {
					if i < test.delivered {
						must(t, s.Delivered(t.Context(), l))
					} else {
						deadLetter(t, s, l)
					}
				}
				clock.Advance(time.Second)
				id, again := "1", Duplicate
				if o.Content != nil {
					id, again = "2", ContentReplayed
				}
				accept(t, s, id, toTargets(o, test.after...), Revived)
				if test.want == nil {
					wantStats(t, s, 1, 0, 1)
					return
				}
				accept(t, s, id, toTargets(o, test.after...), again)
				if got := claimedTargets(t, s, len(test.want)); !slices.Equal(got, test.want) {
					t.Errorf("revived are %q, want %q", got, test.want)
				}
				accept(t, s, id, toTargets(o, test.after...), again)
				wantNothingStored(t, s)
			})
		}
	}
}

// What is pending under an old name finishes by what it knows of the event, so nothing
// gets other names beside it; and a route that has had the event does not get it twice.
func TestACopyLeavesAloneWhatItHasNoRouteFor(t *testing.T) {
	for name, after := range map[string][]string{"another is pending": {"new"}, "the route that is left has had it": {"a"}} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, redistest.Start(t), newFakeClock())
			leases := accept(t, s, "1", toTargets(testOptions, "a", "old"), Accepted)
			if after[0] == "a" {
				must(t, s.Delivered(t.Context(), leases[0]))
			}
			deadLetter(t, s, leases[1])
			accept(t, s, "1", toTargets(testOptions, after...), Duplicate)
			claim(t, s, 0)
			if got, err := s.Stats(t.Context()); err != nil || got.Dead != 1 {
				t.Errorf("%d are dead, %v, want 1", got.Dead, err)
			}
		})
	}
}

// A step whose reply was lost is made again and finds its work done.
func TestRetargetRecognisesItself(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	deadLetter(t, s, accept(t, s, "1", toTargets(testOptions, "old"), Accepted)[0])
	id := eventRef("team/hooks", "1")
	value, err := s.client.Get(t.Context(), eventName(id)).Bytes()
	must(t, err)
	r, err := decodeRecord(value)
	must(t, err)
	r.targets = []string{"new"}
	record, size := r.encode(), len(r.event.Body)
	for range 2 {
		must(t, s.runFenced(t.Context(), "test", retargetScript, deliveryNames(id, "team/hooks"), record[:len(record)-size], len(value)-size,
			s.Now().UnixMicro(), `{"by":"me"}`, "team/hooks", 1, member(id, "old"), member(id, "new")))
	}
	wantStats(t, s, 1, 0, 0)
	err = s.runFenced(t.Context(), "test", retargetScript, deliveryNames(id, "team/hooks"), record[:len(record)-size], len(value)-size,
		s.Now().UnixMicro(), `{"by":"another"}`, "team/hooks", 1, member(id, "old"), member(id, "other"))
	if !errors.Is(err, ErrFenced) {
		t.Errorf("another call: %v, want ErrFenced", err)
	}
}

// A probe is made with a delivery that has not failed, wherever it is in the backlog, and
// not always with the same one.
func TestRefillOfWhatHasNotFailed(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	target := Target{Endpoint: "team/hooks"}
	for i := range 1200 {
		id := fmt.Sprint(i)
		l := owned(t, s, id)
		if i%3 != 0 {
			must(t, s.Retry(t.Context(), l, l.Until, Failure{Attempts: 1}))
		}
		must(t, s.Hold(t.Context(), l, target.Endpoint, s.Now().Add(time.Duration(i)*time.Millisecond)))
	}
	backlogs, err := s.Backlogs(t.Context())
	must(t, err)
	seen := map[string]bool{}
	for round := range 20 {
		for _, b := range backlogs {
			c, err := s.Refill(t.Context(), b, RefillOptions{Max: 1, MaxBytes: 1, Lease: testLease, Unfailed: true})
			if err != nil || len(c.Deliveries) > 1 {
				t.Fatalf("Refill = %+v, %v", c, err)
			}
			for _, d := range c.Deliveries {
				if d.Failure.Attempts != 0 || seen[d.Event.ID] {
					t.Errorf("round %d took %s with %d attempts", round, d.Event.ID, d.Failure.Attempts)
				}
				seen[d.Event.ID] = true
			}
		}
	}
	if len(seen) != 400 {
		t.Errorf("%d deliveries were found, want 400", len(seen))
	}
}
