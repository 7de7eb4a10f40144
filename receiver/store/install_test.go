package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// life takes events through every transition.
func life(t *testing.T, s *Store, clock *fakeClock) {
	t.Helper()
	must(t, s.CheckRoom(t.Context()))
	o := withContent('x')
	must(t, s.Delivered(t.Context(), accept(t, s, "content", o, Accepted)[0]))
	accept(t, s, "other", o, ContentReplayed)
	for i := range 20 { // over many partitions
		must(t, s.Retry(t.Context(), owned(t, s, fmt.Sprint(i)), clock.Now(), Failure{Attempts: 1}))
	}
	for _, d := range claim(t, s, 20) {
		must(t, s.DeadLetter(t.Context(), d.Lease, Failure{Attempts: 2}))
	}
	wantStats(t, s, 0, 0, 20)
	accept(t, s, "3", testOptions, Revived)
	d := claim(t, s, 1)[0]
	must(t, s.Hold(t.Context(), d.Lease, hooks.Endpoint, clock.Now()))
	d = refill(t, s, 1)[0]
	renewed, err := s.Renew(t.Context(), d.Lease, time.Hour)
	must(t, err)
	must(t, s.Delivered(t.Context(), renewed))
	afterlife(t, s)
}

// afterlife finds dead letters, has one delivered and removes another. 19 are left.
func afterlife(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.DeadLetter(t.Context(), owned(t, s, "purged"), Failure{}))
	all := deadLetters(t, s, DeadQuery{Limit: 6}, 20)
	for _, l := range all {
		switch l.Event.ID {
		case "purged":
			must(t, s.Purge(t.Context(), l))
		case "7":
			must(t, s.Revive(t.Context(), l))
			must(t, s.DeadLetter(t.Context(), refill(t, s, 1)[0].Lease, Failure{Attempts: 1}))
		}
	}
	deadLetters(t, s, DeadQuery{IDs: []string{"1", "2", "purged"}}, 2)
	if expired, err := s.ExpiredDeadLetters(t.Context(), s.Now(), 100); err != nil || len(expired) != 19 {
		t.Errorf("found %d dead letters, %v, want 19", len(expired), err)
	}
	if d := lookup(t, s, 1, "7", "purged")[0].Deliveries; len(d) != 1 || d[0].State != DeadLettered {
		t.Errorf("the deliveries are %+v", d)
	}
	if _, err := s.Payload(t.Context(), EventName(hooks.Endpoint, "7")); err != nil {
		t.Errorf("read an event: %v", err)
	}
	u, err := s.Usage(t.Context(), []string{hooks.Endpoint})
	if err != nil || u[0].Pending != 0 || u[0].Dead != 19 {
		t.Errorf("stored are %+v, %v", u, err)
	}
	must(t, s.client.HSet(t.Context(), usageName[5], hooks.Endpoint, "9 0 0 0").Err())
	mended(t, s, 1)
}

func TestUnixSocket(t *testing.T) {
	clock := newFakeClock()
	life(t, openWith(t, Options{URL: redistest.Start(t).SocketURL(), Clock: clock.Now}), clock)
}

// Redis forgets its scripts when it restarts. Those that share a round trip then
// are refused together, and sent again with their text.
func TestScriptsOfAGroupAreLoadedAgain(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	const n = 300
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if i%100 == 50 {
				must(t, s.client.ScriptFlush(t.Context()).Err())
			}
			outcome, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", fmt.Sprint(i)), testOptions)
			if err != nil || outcome != Accepted {
				t.Errorf("Accept(%d) = %s, %v", i, outcome, err)
			}
		})
	}
	all.Wait()
	wantStats(t, s, n, 0, 0)
}

// Two receivers whose clocks differ agree on when a lease ends.
func TestReceiversAgreeOnTheTime(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, nil)
	if time.Until(s.Now()).Abs() > time.Second {
		t.Fatalf("the store's time is %s, Redis on this machine can't differ from %s", s.Now(), time.Now())
	}
	wrong := &clock{local: func() time.Time { return time.Now().Add(-time.Hour) }}
	if next := wrong.measure(t.Context(), s.client); next != measureEvery {
		t.Fatalf("measures again in %s: Redis did not tell the time", next)
	}
	if off := wrong.now().Sub(s.Now()).Abs(); off > time.Second {
		t.Errorf("a local clock that is an hour late leads to a time that is off by %s", off)
	}
}
