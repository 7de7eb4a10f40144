package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// patient opens a store that asks again about what others write so late that only a
// test that fails would see it.
func patient(t *testing.T, server *redistest.Server, clock *fakeClock) *Store {
	t.Helper()
	return openWith(t, Options{URL: server.URL(), Clock: clock.Now, LookEvery: time.Hour})
}

// What a store has written itself it knows without asking.
func TestAStoreKnowsWhatItWrote(t *testing.T) {
	clock := newFakeClock()
	s := patient(t, redistest.Start(t), clock)
	wantBacklogs := func(want int) {
		t.Helper()
		if backlogs, err := s.Backlogs(t.Context()); err != nil || len(backlogs) != want {
			t.Fatalf("%d backlogs, %v, want %d", len(backlogs), err, want)
		}
	}
	looksAtNothing := func() {
		t.Helper()
		claim(t, s, 0)
		wantBacklogs(0)
	}
	looksAtNothing()
	lease := owned(t, s, "1")
	looksAtNothing()
	must(t, s.Release(t.Context(), lease))
	claim(t, s, 1)
	clock.Advance(testLease + time.Second)
	lease = claim(t, s, 1)[0].Lease
	must(t, s.Retry(t.Context(), lease, clock.Now().Add(time.Second), Failure{Attempts: 1}))
	looksAtNothing()
	clock.Advance(time.Second)
	lease = claim(t, s, 1)[0].Lease
	must(t, s.Hold(t.Context(), lease, "team/hooks", clock.Now()))
	refill(t, s, 1)
	wantBacklogs(0)
	clock.Advance(testLease + time.Second)
	lease = claim(t, s, 1)[0].Lease
	must(t, s.DeadLetter(t.Context(), lease, Failure{Attempts: 1}))
	looksAtNothing()
	accept(t, s, "1", testOptions, Revived)
	claim(t, s, 1)
}

// What others write where nothing was is found by the next look, and what is due
// before all that was there after a while.
func TestAStoreFindsWhatOthersWrote(t *testing.T) {
	for name, args := range map[string][]string{
		"allowed": nil,
		// Manuals of earlier versions did not list EXISTS.
		"not allowed": aclArgs([]string{"default", "on", "nopass", "~*", "&*", "+@all", "-exists"}),
	} {
		t.Run(name, func(t *testing.T) {
			server, clock := redistest.Start(t, slices.Clone(args)...), newFakeClock()
			other := openStore(t, server, clock)
			s := openWith(t, Options{URL: server.URL(), Clock: clock.Now, LookEvery: 50 * time.Millisecond})
			claim(t, s, 0)
			wantStats(t, s, 0, 0, 0)
			const n = 20
			found := 0
			for i := range n {
				must(t, other.Release(t.Context(), owned(t, other, fmt.Sprint(i))))
			}
			wantStats(t, s, n, 0, 0)
			redistest.Await(t, 20*time.Second, "all is claimed", func() error {
				c, err := s.Claim(t.Context(), ClaimOptions{Max: n, MaxBytes: 1 << 20, Lease: testLease})
				if found += len(c.Deliveries); found < n {
					return fmt.Errorf("%d of %d are, %w", found, n, err)
				}
				return nil
			})
		})
	}
}
