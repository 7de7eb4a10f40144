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
	// A round time: Redis prints its microseconds as 1.7698176e+15.
	return &fakeClock{at: time.Unix(1769817600, 0)}
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
	o := Options{URL: server.URL()}
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
