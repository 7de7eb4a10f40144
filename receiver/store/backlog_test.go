package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

var hooks = Target{Endpoint: "team/hooks"}

// held stores a new event and holds its only delivery.
func held(t *testing.T, s *Store, id string) Lease {
	t.Helper()
	l := owned(t, s, id)
	must(t, s.Hold(t.Context(), l, hooks.Endpoint, s.Now()))
	return l
}

// refill takes all that is held and wants so many deliveries.
func refill(t *testing.T, s *Store, want int) []Delivery {
	t.Helper()
	return refillWith(t, s, RefillOptions{Max: 1000, MaxBytes: 1 << 30, Lease: testLease}, want)
}

func refillWith(t *testing.T, s *Store, o RefillOptions, want int) []Delivery {
	t.Helper()
	backlogs, err := s.Backlogs(t.Context())
	must(t, err)
	var all []Delivery
	for _, b := range backlogs {
		c, err := s.Refill(t.Context(), b, o)
		must(t, err)
		all = append(all, c.Deliveries...)
	}
	if len(all) != want {
		t.Fatalf("refilled %d deliveries of %d backlogs, want %d", len(all), len(backlogs), want)
	}
	return all
}

func TestHeldIsPendingAndOutOfTheWay(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	heldAt := clock.Now()
	held(t, s, "1")
	clock.Advance(time.Hour)
	claim(t, s, 0)
	wantStats(t, s, 1, 0, 0)
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Held != 1 || !stats.OldestPending.Equal(heldAt) {
		t.Errorf("stored is %+v, %v, want one held since %s", stats, err, heldAt)
	}
	accept(t, s, "1", testOptions, Duplicate)
	d := refill(t, s, 1)[0]
	if d.Event.ID != "1" || d.Failure != (Failure{}) {
		t.Errorf("refilled %s with %+v", d.Event.ID, d.Failure)
	}
	refill(t, s, 0)
	claim(t, s, 0)
	must(t, s.Delivered(t.Context(), d.Lease))
	wantStats(t, s, 0, 0, 0)
}

// The process that refilled it dies.
func TestRefilledIsClaimedWhenItsLeaseEnds(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	held(t, s, "1")
	refill(t, s, 1)
	clock.Advance(testLease + time.Second)
	claim(t, s, 1)
}

func TestHoldingKeepsWhatFailed(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	must(t, s.Retry(t.Context(), owned(t, s, "1"), clock.Now(), Failure{Attempts: 3}))
	must(t, s.Hold(t.Context(), claim(t, s, 1)[0].Lease, hooks.Endpoint, clock.Now()))
	wantStats(t, s, 1, 1, 0)
	if d := refill(t, s, 1)[0]; d.Failure.Attempts != 3 {
		t.Errorf("refilled with %+v, want 3 attempts", d.Failure)
	}
}

func TestALateOwnerHoldsNothing(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	late := owned(t, s, "1")
	clock.Advance(testLease + time.Second)
	current := claim(t, s, 1)[0].Lease
	if err := s.Hold(t.Context(), late, hooks.Endpoint, clock.Now()); !errors.Is(err, ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
	must(t, s.DeadLetter(t.Context(), current, Failure{Attempts: 1}))
	if err := s.Hold(t.Context(), current, hooks.Endpoint, clock.Now()); !errors.Is(err, ErrFenced) {
		t.Fatalf("of a dead letter: got %v, want ErrFenced", err)
	}
	wantStats(t, s, 0, 0, 1)
}

func TestHeldIsNobodys(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	l := held(t, s, "1")
	for name, transition := range map[string]func() error{
		"Delivered":  func() error { return s.Delivered(t.Context(), l) },
		"Retry":      func() error { return s.Retry(t.Context(), l, clock.Now(), Failure{}) },
		"DeadLetter": func() error { return s.DeadLetter(t.Context(), l, Failure{}) },
		"Release":    func() error { return s.Release(t.Context(), l) },
	} {
		if err := transition(); !errors.Is(err, ErrFenced) {
			t.Errorf("%s: got %v, want ErrFenced", name, err)
		}
	}
	must(t, s.Hold(t.Context(), l, hooks.Endpoint, clock.Now())) // as after a lost reply
	refill(t, s, 1)
}

func TestTheOldestIsRefilledFirst(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	began := clock.Now()
	const n = 200
	for i := range n {
		clock.Advance(time.Second)
		held(t, s, fmt.Sprint(i))
	}
	old := refillWith(t, s, RefillOptions{Max: 1000, MaxBytes: 1 << 30, Lease: testLease, Before: began.Add(50 * time.Second)}, 50)
	for _, d := range old {
		if slices.Contains([]string{"50", "51", "199"}, d.Event.ID) {
			t.Errorf("%s is not that old", d.Event.ID)
		}
	}
	backlogs, err := s.Backlogs(t.Context())
	must(t, err)
	seen := map[int]float64{}
	for range 3 {
		for _, b := range backlogs {
			c, err := s.Refill(t.Context(), b, RefillOptions{Max: 1, MaxBytes: 1, Lease: testLease})
			must(t, err)
			for _, d := range c.Deliveries {
				var number float64
				if _, err := fmt.Sscan(d.Event.ID, &number); err != nil {
					t.Fatal(err)
				}
				if last, ok := seen[b.partition]; ok && number < last {
					t.Errorf("partition %d gave %v after %v", b.partition, number, last)
				}
				seen[b.partition] = number
			}
		}
	}
}

func TestRefillTakesNoMoreBytesThanItMay(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	for i := range 300 {
		held(t, s, fmt.Sprint(i))
	}
	size := int64(len((&record{event: sampleEvent("team/hooks", "100"), facts: facts{targets: []string{""}}}).encode()))
	backlogs, err := s.Backlogs(t.Context())
	must(t, err)
	for _, b := range backlogs {
		c, err := s.Refill(t.Context(), b, RefillOptions{Max: 10, MaxBytes: 2 * size, Lease: testLease})
		if err != nil || len(c.Deliveries) < 1 || len(c.Deliveries) > 2 {
			t.Fatalf("with room for 2 took %d, %v", len(c.Deliveries), err)
		}
	}
}

// Claims hold what is due for targets that take nothing, and take the rest, as if
// it were not there.
func TestClaimHoldsWhatIsBlocked(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	blocked := Target{Endpoint: "team-with-a-name-that-is-as-long-as-names-may-be-in-kubernetes-1/" +
		"an-endpoint-whose-name-is-longer-than-127-bytes-so-that-its-length-takes-two-bytes-of-the-record-and-is-still-read-as-it-should-be", Name: "invoices"}
	for i := range 500 {
		e := sampleEvent(blocked.Endpoint, fmt.Sprint(i))
		e.ReceivedAt = clock.Now()
		_, leases, err := s.Accept(t.Context(), e, AcceptOptions{Window: testWindow, Lease: testLease, Targets: []string{"", "invoices"}})
		must(t, err)
		for _, l := range leases {
			must(t, s.Release(t.Context(), l))
		}
	}
	c, err := s.Claim(t.Context(), ClaimOptions{Max: 1000, MaxBytes: 1 << 30, Lease: testLease, Blocked: []Target{{Endpoint: "a/b"}, blocked}})
	if err != nil || len(c.Deliveries) != 500 || c.Held != 500 {
		t.Fatalf("claimed %d and held %d, %v, want 500 each", len(c.Deliveries), c.Held, err)
	}
	for _, d := range c.Deliveries {
		must(t, s.Delivered(t.Context(), d.Lease)) // the event stays: its other delivery is held
	}
	heldOnes := refill(t, s, 500)
	for _, d := range heldOnes {
		if d.Lease.Target != "invoices" || d.Event.Endpoint != blocked.Endpoint {
			t.Fatalf("held was %q of %s", d.Lease.Target, d.Event.Endpoint)
		}
		must(t, s.Delivered(t.Context(), d.Lease))
	}
	wantStats(t, s, 0, 0, 0)
}

// The age of a revived delivery starts again, in its backlog, too.
func TestClaimHoldsARevivedDeliverySinceItsRevival(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	must(t, s.DeadLetter(t.Context(), owned(t, s, "1"), Failure{Attempts: 12}))
	clock.Advance(100 * time.Hour)
	accept(t, s, "1", testOptions, Revived)
	c, err := s.Claim(t.Context(), ClaimOptions{Max: 1, MaxBytes: 1, Lease: testLease, Blocked: []Target{hooks}})
	if err != nil || c.Held != 1 {
		t.Fatalf("held %d, %v, want 1", c.Held, err)
	}
	o := RefillOptions{Max: 1, MaxBytes: 1, Lease: testLease, Before: clock.Now().Add(-time.Millisecond)}
	refillWith(t, s, o, 0)
	o.Before = clock.Now()
	if d := refillWith(t, s, o, 1)[0]; !d.Failure.Since.Equal(clock.Now()) {
		t.Errorf("refilled with %+v", d.Failure)
	}
}

func TestBacklogsTakeTurns(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	// All in one partition, more than are looked at in one go.
	ids := map[string]string{} // endpoint → id
	for i := 0; len(ids) < maxBacklogs+10; i++ {
		endpoint := fmt.Sprint("team/e", len(ids))
		if eventRef(endpoint, fmt.Sprint(i)).partition() == 7 {
			ids[endpoint] = fmt.Sprint(i)
		}
	}
	for endpoint, id := range ids {
		clock.Advance(time.Second)
		_, leases, err := s.Accept(t.Context(), sampleEvent(endpoint, id), testOptions)
		must(t, err)
		must(t, s.Hold(t.Context(), leases[0], endpoint, clock.Now()))
	}
	seen := map[string]bool{}
	for range 2 {
		backlogs, err := s.Backlogs(t.Context())
		if err != nil || len(backlogs) != maxBacklogs || !backlogs[0].Crowded {
			t.Fatalf("%d backlogs, %v, want %d of more", len(backlogs), err, maxBacklogs)
		}
		for _, b := range backlogs {
			seen[b.Target.Endpoint] = true
		}
		clock.Advance(time.Second)
		must(t, s.Skip(t.Context(), backlogs))
	}
	if len(seen) != len(ids) {
		t.Errorf("%d of %d backlogs had their turn", len(seen), len(ids))
	}
}

func TestRefillDropsTheIndexOfADeletedEvent(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	l := held(t, s, "1")
	must(t, s.client.Del(t.Context(), eventName(l.ref)).Err())
	refill(t, s, 0)
	mended(t, s, 1)
	if keys := s.client.DBSize(t.Context()).Val(); keys != 0 {
		t.Errorf("%d keys are left, want none", keys)
	}
}
