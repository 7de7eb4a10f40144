package store

import (
	"fmt"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// life takes events through every transition.
func life(t *testing.T, s *Store, clock *fakeClock) {
	t.Helper()
	o := withContent('x')
	must(t, s.Delivered(t.Context(), accept(t, s, "content", o, Accepted)[0]))
	accept(t, s, "other", o, ContentReplayed)
	for i := range 20 { // over many partitions
		must(t, s.Retry(t.Context(), owned(t, s, fmt.Sprint(i)), clock.Now(), Failure{Attempts: 1}))
	}
	for _, d := range claim(t, s, 20) {
		must(t, s.Dead(t.Context(), d.Lease, Failure{Attempts: 2}))
	}
	wantStats(t, s, 0, 0, 20)
	accept(t, s, "3", testOptions, Revived)
	d := claim(t, s, 1)[0]
	renewed, err := s.Renew(t.Context(), d.Lease, time.Hour)
	must(t, err)
	must(t, s.Delivered(t.Context(), renewed))
}

func TestUnixSocket(t *testing.T) {
	clock := newFakeClock()
	life(t, openWith(t, Options{URL: redistest.Start(t).SocketURL(), Clock: clock.Now}), clock)
}

// A cluster refuses scripts whose keys live on different shards.
func TestCluster(t *testing.T) {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	setup := openStore(t, server, nil)
	must(t, setup.client.Do(t.Context(), "cluster", "addslotsrange", 0, 16383).Err())
	awaitCluster(t, setup)
	clock := newFakeClock()
	life(t, openWith(t, Options{URL: server.URL() + "?cluster=true", Clock: clock.Now}), clock)
}

func awaitCluster(t *testing.T, s *Store) {
	t.Helper()
	for range 2000 {
		if s.client.Set(t.Context(), "ready", "1", 0).Err() == nil {
			return
		}
		time.Sleep(5 * time.Millisecond) // the server announces this to nobody
	}
	t.Fatal("the cluster does not serve its slots")
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
