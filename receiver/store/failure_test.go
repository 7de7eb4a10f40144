package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// bound is how long a call may take when Redis is away, with room for a busy
// machine.
const bound = DefaultTimeout + 2*time.Second

func wantUnavailable(t *testing.T, s *Store, id string) {
	t.Helper()
	started := time.Now()
	_, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", id), testOptions)
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	if took := time.Since(started); took > bound {
		t.Fatalf("the error took %s, want at most %s", took, bound)
	}
}

func TestRedisIsDown(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, nil)
	server.Kill()
	wantUnavailable(t, s, "1")
	if err := s.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Ping: got %v, want ErrUnavailable", err)
	}
	if _, err := s.Claim(t.Context(), ClaimOptions{Max: 1, MaxBytes: 1, Lease: testLease}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Claim: got %v, want ErrUnavailable", err)
	}
	server.Restart()
	accept(t, s, "1", testOptions, Accepted)
}

func TestOpenDoesNotNeedRedis(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	s := openStore(t, server, nil)
	server.Restart()
	accept(t, s, "1", testOptions, Accepted)
}

func TestRedisHangs(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, nil)
	must(t, s.Ping(t.Context()))
	must(t, syscall.Kill(server.PID(), syscall.SIGSTOP))
	wantUnavailable(t, s, "1")
	must(t, syscall.Kill(server.PID(), syscall.SIGCONT))
}

func TestACancelledAcceptIsAnError(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Accept(ctx, sampleEvent("a/b", "1"), testOptions); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnavailable because of context.Canceled", err)
	}
	wantStats(t, s, 0, 0, 0)
}

// The reply is lost and the client sends the script again: the answer is that
// of the first run.
func TestALostReplyIsRepeated(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	clock := newFakeClock()
	s := openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: clock.Now})
	accept(t, s, "warm", testOptions, Accepted)
	lose := func() { proxy.LoseReplies(1) }

	lose()
	lease := owned(t, s, "1")
	lose()
	lease, err := s.Renew(t.Context(), lease, testLease)
	must(t, err)
	lose()
	must(t, s.Retry(t.Context(), lease, clock.Now(), Failure{Attempts: 1}))
	lease = claim(t, s, 1)[0].Lease
	lose()
	must(t, s.DeadLetter(t.Context(), lease, Failure{Attempts: 2}))
	wantStats(t, s, 1, 0, 1) // "warm" is pending
	accept(t, s, "1", testOptions, Revived)
	lease = claim(t, s, 1)[0].Lease
	lose()
	must(t, s.Release(t.Context(), lease))
	lease = claim(t, s, 1)[0].Lease
	lose()
	must(t, s.Hold(t.Context(), lease, hooks.Endpoint, clock.Now()))
	lease = refill(t, s, 1)[0].Lease
	lose()
	must(t, s.Delivered(t.Context(), lease))
	if !proxy.Lost() {
		t.Error("the last reply was not lost: the test tests nothing")
	}
	wantStats(t, s, 1, 0, 0)
}

// The same of an event that has another target, whose payload stays.
func TestALostReplyIsRepeatedOfOneOfTwoTargets(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	s := openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: newFakeClock().Now})
	o := testOptions
	o.Targets = []string{"first", "second", "third"}
	leases := accept(t, s, "1", o, Accepted)
	proxy.LoseReplies(1)
	must(t, s.Delivered(t.Context(), leases[0]))
	must(t, s.DeadLetter(t.Context(), leases[1], Failure{Attempts: 1}))
	if err := s.Delivered(t.Context(), leases[1]); !errors.Is(err, ErrFenced) {
		t.Errorf("a dead letter was delivered by whoever gave it up: %v", err)
	}
	proxy.LoseReplies(1)
	must(t, s.Delivered(t.Context(), leases[2]))
	if !proxy.Lost() {
		t.Error("the last reply was not lost: the test tests nothing")
	}
	wantStats(t, s, 0, 0, 1)
}

// Every reply is lost: the sender gets 503, and yet the event is stored. Its
// second copy is a duplicate, and somebody delivers it.
func TestAnEventWhoseReplyNeverCameIsDelivered(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	clock := newFakeClock()
	behind := openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: clock.Now})
	accept(t, behind, "warm", testOptions, Accepted)
	direct := openStore(t, server, clock)
	proxy.LoseReplies(1000)
	// The first script arrives on the connection that is open; replies to the
	// handshake of later connections are lost, so it can't be repeated.
	wantUnavailable(t, behind, "1")
	accept(t, direct, "1", testOptions, Duplicate)
	clock.Advance(testLease + time.Second)
	ids := map[string]bool{}
	for _, d := range claim(t, direct, 2) {
		ids[d.Event.ID] = true
	}
	if !ids["1"] {
		t.Errorf("claimed %v, want the event whose reply was lost", ids)
	}
}

func TestWhatWasAcknowledgedSurvivesACrashOfRedis(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	clock := newFakeClock()
	s := openStore(t, server, clock)
	const n = 50
	for i := range n {
		owned(t, s, fmt.Sprint(i))
	}
	must(t, s.Delivered(t.Context(), owned(t, s, "done")))
	server.Kill()
	server.Restart()
	for i := range n {
		accept(t, s, fmt.Sprint(i), testOptions, Duplicate)
	}
	accept(t, s, "done", testOptions, Duplicate)
	clock.Advance(testLease + time.Second)
	claim(t, s, n)
}

func TestScriptsAreLoadedAgain(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	flush := func() { must(t, s.client.ScriptFlush(t.Context()).Err()) }
	lease := owned(t, s, "1")
	flush()
	must(t, s.Release(t.Context(), lease))
	flush()
	d := claim(t, s, 1)[0]
	flush()
	must(t, s.Delivered(t.Context(), d.Lease))
}

// TestAnEmptyRedisWorksAtOnce: one that keeps nothing on disk was started anew. What it
// held is gone, and what comes next needs nothing of it.
func TestAnEmptyRedisWorksAtOnce(t *testing.T) {
	clock := newFakeClock()
	server := redistest.Start(t)
	s := openStore(t, server, clock)
	lost := owned(t, s, "1")
	server.Do("FLUSHALL")
	server.Do("SCRIPT FLUSH")
	if err := s.Delivered(t.Context(), lost); !errors.Is(err, ErrFenced) {
		t.Errorf("what is gone is noted as delivered: %v", err)
	}
	for _, id := range []string{"1", "2"} {
		must(t, s.Release(t.Context(), owned(t, s, id)))
	}
	for _, d := range claim(t, s, 2) {
		must(t, s.Delivered(t.Context(), d.Lease))
	}
}

func TestAFullRedisTakesNothingAndStillDrains(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "6mb", "--maxmemory-policy", "noeviction")
	clock := newFakeClock()
	s := openStore(t, server, clock)
	body := make([]byte, 64<<10)
	store := func(i int) error {
		e := sampleEvent("team/hooks", fmt.Sprint(i))
		e.Body = body
		_, _, err := s.Accept(t.Context(), e, testOptions)
		return err
	}
	stored := 0
	for ; stored < 1000; stored++ {
		if err := store(stored); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatalf("got %v, want ErrFull", err)
			}
			break
		}
	}
	if stored == 0 || stored == 1000 {
		t.Fatalf("%d events were stored before Redis was full", stored)
	}
	wantStats(t, s, int64(stored), 0, 0)

	// Each outcome goes on while Redis is full, without anything being freed.
	clock.Advance(testLease + time.Second)
	took := claim(t, s, stored)
	must(t, s.Release(t.Context(), took[0].Lease))
	must(t, s.Retry(t.Context(), took[1].Lease, clock.Now().Add(time.Hour), Failure{Attempts: 1, Error: "x"}))
	must(t, s.DeadLetter(t.Context(), took[2].Lease, Failure{Attempts: 1}))
	must(t, s.Hold(t.Context(), took[3].Lease, hooks.Endpoint, clock.Now()))
	took[3] = refill(t, s, 1)[0]
	if err := store(stored); !errors.Is(err, ErrFull) {
		t.Fatalf("still full: got %v, want ErrFull", err)
	}
	if outcome, _, err := s.Accept(t.Context(), took[2].Event, testOptions); err != nil || outcome != Revived {
		t.Fatalf("a dead letter in a full Redis: %s, %v, want it revived", outcome, err)
	}
	for _, d := range took[3:] {
		must(t, s.Delivered(t.Context(), d.Lease))
	}
	must(t, store(stored))
}

func TestCheckPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"safe":       {[]string{"--appendonly", "yes", "--maxmemory-policy", "noeviction"}, nil},
		"cache":      {[]string{"--maxmemory-policy", "allkeys-lru"}, []string{"maxmemory-policy", "appendonly"}},
		"by seconds": {[]string{"--appendonly", "yes", "--appendfsync", "everysec"}, nil},
		"some time":  {[]string{"--appendonly", "yes", "--appendfsync", "no"}, []string{"appendfsync"}},
		"no answers": {[]string{"--rename-command", "CONFIG", "HIDDEN"}, []string{"CONFIG GET is refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, redistest.Start(t, test.args...), nil)
			got, err := s.CheckPolicy(t.Context())
			if err != nil || len(got) != len(test.want) {
				t.Fatalf("got %q, %v, want %d warnings", got, err, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("warning %q, want it to name %s", got[i], want)
				}
			}
		})
	}
}

func TestErrorsDoNotShowThePassword(t *testing.T) {
	for _, url := range []string{
		"redis://user:hunter2@[::1", "http://user:hunter2@host", "redis://user:hunter2@host/x", "unix://",
		"redis://user:hunter2@host?master_name=m&db=x", "http://user:hunter2@host?cluster=true", "%",
	} {
		_, err := Open(t.Context(), Options{URL: url})
		if err == nil {
			t.Errorf("Open took %q", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
