package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// sizedEvent is an event with a body of so many bytes.
func sizedEvent(id string, bytes int) *Event {
	e := sampleEvent("team/hooks", id)
	e.Body = make([]byte, bytes)
	_, _ = rand.Read(e.Body)
	return e
}

// behindALink opens a store that reaches server by a proxy.
func behindALink(t *testing.T, server *redistest.Server, clock *fakeClock) (*Store, *redistest.Proxy) {
	t.Helper()
	proxy := redistest.StartProxy(t, server.Addr)
	return openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: clock.Now}), proxy
}

// A receiver died and left more than a link brings within the time of an operation.
// Each claim must get on.
func TestABacklogOfLargeEventsArrivesOverASlowLink(t *testing.T) {
	t.Parallel()
	server, clock := redistest.Start(t), newFakeClock()
	near := openStore(t, server, clock)
	const n = 56
	for i := range n {
		_, _, err := near.Accept(t.Context(), sizedEvent(fmt.Sprint(i), 1<<20), testOptions)
		must(t, err)
	}
	far, proxy := behindALink(t, server, clock)
	must(t, far.Ping(t.Context()))
	proxy.Throttle(20e6) // 56 MiB take 2.9 s
	for left := n; left > 0; {
		clock.Advance(testLease + time.Second)
		c, err := far.Claim(t.Context(), ClaimOptions{Max: 128, MaxBytes: 320 << 20, Lease: testLease})
		if len(c.Deliveries) == 0 {
			t.Fatalf("nothing was claimed of %d deliveries that are due: %v", left, err)
		}
		left -= len(c.Deliveries)
		for _, d := range c.Deliveries {
			must(t, near.Delivered(t.Context(), d.Lease))
		}
	}
}

// What does not arrive in time is due again at once, and not only when the lease ends.
func TestWhatDoesNotArriveIsGivenBack(t *testing.T) {
	t.Parallel()
	server, clock := redistest.Start(t), newFakeClock()
	near := openStore(t, server, clock)
	const n = 4
	for i := range n {
		_, leases, err := near.Accept(t.Context(), sizedEvent(fmt.Sprint(i), 3<<19), testOptions)
		must(t, err)
		must(t, near.Release(t.Context(), leases[0]))
	}
	far, proxy := behindALink(t, server, clock)
	must(t, far.Ping(t.Context()))
	proxy.Throttle(300e3) // one takes 5 s, and may take 2.4
	o := ClaimOptions{Max: n, MaxBytes: 1 << 30, Lease: testLease}
	c, err := far.Claim(t.Context(), o)
	if err == nil || len(c.Deliveries) > 0 {
		t.Fatalf("%d events arrived, %v: the link is not slow", len(c.Deliveries), err)
	}
	proxy.Throttle(0)
	c, err = far.Claim(t.Context(), o)
	if err != nil || len(c.Deliveries) != n {
		t.Errorf("then %d of %d are due, %v", len(c.Deliveries), n, err)
	}
}

// Accepts of small events go on as if nothing was beside them while a large one takes
// its time on the link.
func TestALargeEventDelaysNoSmallOne(t *testing.T) {
	t.Parallel()
	server, clock := redistest.Start(t), newFakeClock()
	s, proxy := behindALink(t, server, clock)
	must(t, s.Ping(t.Context()))
	proxy.Throttle(100e6 / 8) // 25 MiB take 2.1 s
	ctx, stop := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	small := make([]int, 4)
	for sender := range small {
		senders.Go(func() {
			for ; ctx.Err() == nil; small[sender]++ {
				_, _, err := s.Accept(t.Context(), sizedEvent(fmt.Sprint(sender, "-", small[sender]), 2<<10), testOptions)
				if err != nil {
					t.Errorf("a small event: %v", err)
					return
				}
			}
		})
	}
	large := sizedEvent("large", 25<<20)
	outcome, leases, err := s.Accept(t.Context(), large, testOptions)
	stop()
	senders.Wait()
	if err != nil || outcome != Accepted {
		t.Fatalf("the large event: %s, %v", outcome, err)
	}
	for sender, n := range small {
		if n < 2 {
			t.Errorf("sender %d got %d events stored beside the large one", sender, n)
		}
	}
	proxy.Throttle(0)
	accept(t, s, "large", testOptions, Duplicate)
	must(t, s.Release(t.Context(), leases[0]))
	got := claim(t, s, 1)
	if string(got[0].Event.Body) != string(large.Body) {
		t.Error("the large event is not what it was")
	}
	must(t, s.Delivered(t.Context(), got[0].Lease))
}

// The servers that an Accept waits for have a large event, too.
func TestALargeEventIsWaitedFor(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	redistest.StartReplica(t, server)
	s := openWith(t, Options{URL: server.URL(), Wait: oneReplica})
	for _, want := range []Outcome{Accepted, Duplicate} {
		outcome, _, err := s.Accept(t.Context(), sizedEvent("large", 3<<20), testOptions)
		if err != nil || outcome != want {
			t.Errorf("a large event is %s, %v, want %s", outcome, err, want)
		}
	}
}
