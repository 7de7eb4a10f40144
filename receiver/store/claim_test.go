package store

import (
	"fmt"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// due stores n events that are due at once.
func due(t *testing.T, s *Store, n int) {
	t.Helper()
	for i := range n {
		must(t, s.Release(t.Context(), owned(t, s, fmt.Sprint(i))))
	}
}

func TestClaimTakesNoMoreThanItMay(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	due(t, s, 100)
	size := int64(len((&record{event: sampleEvent("team/hooks", "1"), facts: facts{targets: []string{""}}}).encode()))
	limits := map[string]struct {
		o    ClaimOptions
		want int
	}{
		"nothing":            {ClaimOptions{Max: 0, MaxBytes: 1 << 30}, 0},
		"a number":           {ClaimOptions{Max: 7, MaxBytes: 1 << 30}, 7},
		"one is always held": {ClaimOptions{Max: 100, MaxBytes: 0}, 1},
	}
	for name, test := range limits {
		test.o.Lease = testLease
		c, err := s.Claim(t.Context(), test.o)
		if err != nil || len(c.Deliveries) != test.want {
			t.Errorf("%s: took %d, %v, want %d", name, len(c.Deliveries), err, test.want)
		}
		if c.Next.After(clock.Now()) {
			t.Errorf("%s: next is %s although more is due", name, c.Next)
		}
	}
	// The first entry of a partition is taken even if it overshoots by itself.
	c, err := s.Claim(t.Context(), ClaimOptions{Max: 100, MaxBytes: 5 * size, Lease: testLease})
	if err != nil || len(c.Deliveries) < 4 || len(c.Deliveries) > 6 {
		t.Errorf("with room for 5 took %d, %v", len(c.Deliveries), err)
	}
}

func TestClaimTellsWhenTheNextIsDue(t *testing.T) {
	clock := newFakeClock()
	s := openWith(t, Options{URL: redistest.Start(t).URL(), Clock: clock.Now})
	empty, err := s.Claim(t.Context(), ClaimOptions{Max: 1, MaxBytes: 1, Lease: testLease})
	if err != nil || !empty.Next.IsZero() {
		t.Errorf("next of an empty store is %s, %v", empty.Next, err)
	}
	for i, after := range []time.Duration{time.Hour, time.Minute, 2 * time.Hour} {
		must(t, s.Retry(t.Context(), owned(t, s, fmt.Sprint(i)), clock.Now().Add(after), Failure{Attempts: 1}))
	}
	c, err := s.Claim(t.Context(), ClaimOptions{Max: 1, MaxBytes: 1, Lease: testLease})
	if want := clock.Now().Add(time.Minute); err != nil || !c.Next.Equal(want) {
		t.Errorf("next is %s, %v, want %s", c.Next, err, want)
	}
}

func TestClaimKeepsWhatItCannotRead(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	lease := owned(t, s, "1")
	must(t, s.client.SetRange(t.Context(), eventName(lease.ref), 1, "\x07").Err())
	for range 2 { // again when the lease ends
		clock.Advance(testLease + time.Second)
		c, err := s.Claim(t.Context(), ClaimOptions{Max: 10, MaxBytes: 1 << 20, Lease: testLease})
		if err != nil || c.Unreadable != 1 || len(c.Deliveries) != 0 {
			t.Fatalf("claimed %+v, %v, want one unreadable", c, err)
		}
	}
	wantStats(t, s, 1, 0, 0)
}

func TestClaimDropsTheIndexOfADeletedEvent(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	lease := owned(t, s, "1")
	must(t, s.Retry(t.Context(), lease, clock.Now(), Failure{Attempts: 1}))
	must(t, s.client.Del(t.Context(), eventName(lease.ref)).Err())
	claim(t, s, 0)
	mended(t, s, 1)
	if keys := s.client.DBSize(t.Context()).Val(); keys != 0 {
		t.Errorf("%d keys are left, want none", keys)
	}
}

func TestStatsKnowTheOldest(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	none, err := s.Stats(t.Context())
	if err != nil || !none.OldestPending.IsZero() {
		t.Errorf("the oldest of nothing is %s, %v", none.OldestPending, err)
	}
	due(t, s, 1)
	received := clock.Now()
	clock.Advance(time.Minute)
	got, err := s.Stats(t.Context())
	if err != nil || !got.OldestPending.Equal(received) {
		t.Errorf("the oldest is of %s, %v, want %s", got.OldestPending, err, received)
	}
	d := claim(t, s, 1)[0]
	must(t, s.Retry(t.Context(), d.Lease, clock.Now().Add(time.Hour), Failure{Attempts: 1}))
	got, err = s.Stats(t.Context())
	if want := d.Event.ReceivedAt.Truncate(time.Millisecond); err != nil || !got.OldestPending.Equal(want) {
		t.Errorf("the oldest is of %s, %v, want %s", got.OldestPending, err, want)
	}
}
