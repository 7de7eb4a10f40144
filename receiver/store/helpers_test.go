package store

import (
	"context"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// fakeClock stands still until it is moved. It is safe for concurrent use.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func newFakeClock() *fakeClock {
	// A round time: newer servers print its microseconds as 1.78e+15.
	return &fakeClock{at: time.Unix(1780000000, 0)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// openStore opens a store on server with the time of clock, or Redis's own.
func openStore(tb testing.TB, server *redistest.Server, clock *fakeClock) *Store {
	tb.Helper()
	o := Options{URL: server.URL(), LookEvery: time.Hour}
	if clock != nil {
		o.Clock = clock.Now
	}
	return openWith(tb, o)
}

func openWith(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

const (
	testLease  = 30 * time.Second
	testWindow = time.Hour
)

var testOptions = AcceptOptions{Window: testWindow, Lease: testLease}

// accept stores an event and wants one outcome.
func accept(t *testing.T, s *Store, id string, o AcceptOptions, want Outcome) []Lease {
	t.Helper()
	got, leases, err := s.Accept(t.Context(), sampleEvent("team/hooks", id), o)
	if err != nil || got != want {
		t.Fatalf("Accept(%s) = %s, %v, want %s", id, got, err, want)
	}
	return leases
}

// owned stores a new event and returns the lease on its only delivery.
func owned(t *testing.T, s *Store, id string) Lease {
	t.Helper()
	leases := accept(t, s, id, testOptions, Accepted)
	if len(leases) != 1 {
		t.Fatalf("%d leases, want 1", len(leases))
	}
	return leases[0]
}

// claim takes all that is due and wants so many deliveries.
func claim(t *testing.T, s *Store, want int) []Delivery {
	t.Helper()
	c, err := s.Claim(t.Context(), ClaimOptions{Max: 1000, MaxBytes: 1 << 30, Lease: testLease})
	if err != nil || len(c.Deliveries) != want {
		t.Fatalf("Claim took %d deliveries, %v, want %d", len(c.Deliveries), err, want)
	}
	return c.Deliveries
}

func wantStats(t *testing.T, s *Store, pending, delayed, dead int64) {
	t.Helper()
	got, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Pending != pending || got.Delayed != delayed || got.Dead != dead {
		t.Fatalf("stored are %d pending, %d delayed, %d dead, want %d, %d, %d",
			got.Pending, got.Delayed, got.Dead, pending, delayed, dead)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
