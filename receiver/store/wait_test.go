package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

// oneReplica is what most tests here wait for, with time for a busy machine.
// Where no replica can answer, inVain waits for it.
var (
	oneReplica = Wait{Replicas: 1}
	inVain     = Wait{Replicas: 1, Timeout: 100 * time.Millisecond}
)

// replicated starts a master and a replica, and a store that waits for it.
func replicated(t *testing.T, args ...string) (s *Store, clock *fakeClock, master, replica *redistest.Server) {
	t.Helper()
	master = redistest.Start(t, args...)
	replica = redistest.StartReplica(t, master)
	clock = newFakeClock()
	return openWith(t, Options{URL: master.URL(), Clock: clock.Now, Wait: oneReplica}), clock, master, replica
}

// stop makes a server hang, and go on when the returned function is called.
func stop(t *testing.T, server *redistest.Server) (resume func()) {
	t.Helper()
	must(t, syscall.Kill(server.PID(), syscall.SIGSTOP))
	return func() { must(t, syscall.Kill(server.PID(), syscall.SIGCONT)) }
}

func wantUnconfirmed(t *testing.T, s *Store, id string, o AcceptOptions) {
	t.Helper()
	_, leases, err := s.Accept(t.Context(), sampleEvent("team/hooks", id), o)
	if !errors.Is(err, ErrUnconfirmed) || len(leases) > 0 {
		t.Fatalf("Accept(%s) = %d leases, %v, want ErrUnconfirmed", id, len(leases), err)
	}
	if !strings.Contains(err.Error(), "0 of 1 replicas have it") {
		t.Errorf("the error is %q, want it to count the replicas", err)
	}
}

func TestEverythingWorksWhileReplicasFollow(t *testing.T) {
	s, clock, master, replica := replicated(t)
	life(t, s, clock)
	want := master.Do("DBSIZE")
	redistest.Await(t, 10*time.Second, "the replica has all keys", func() error {
		if got := replica.Do("DBSIZE"); got != want {
			return fmt.Errorf("it has %s, not %s", got, want)
		}
		return nil
	})
}

// No outcome that the sender takes for a promise comes before the replica has
// the event: not for a new one, nor for a copy of one that was never confirmed.
func TestNothingIsPromisedThatTheReplicaLacks(t *testing.T) {
	s, clock, master, replica := replicated(t)
	plain := openWith(t, Options{URL: master.URL(), Clock: clock.Now})
	o := withContent('x')
	// Each by a connection of its own, which has written nothing yet.
	wantUnconfirmed := func(id string, o AcceptOptions) {
		t.Helper()
		wantUnconfirmed(t, openWith(t, Options{URL: master.URL(), Clock: clock.Now, Wait: inVain}), id, o)
	}

	resume := stop(t, replica)
	dead := accept(t, plain, "dead", testOptions, Accepted)[0]
	must(t, plain.DeadLetter(t.Context(), dead, Failure{Attempts: 1}))
	must(t, plain.Delivered(t.Context(), accept(t, plain, "delivered", testOptions, Accepted)[0]))
	wantUnconfirmed("1", o)
	wantUnconfirmed("1", o)
	wantUnconfirmed("2", o) // the same content under another id
	wantUnconfirmed("dead", testOptions)
	wantUnconfirmed("dead", testOptions) // revived by the one before
	wantUnconfirmed("delivered", testOptions)
	resume()

	accept(t, s, "1", o, Duplicate)
	accept(t, s, "2", o, ContentReplayed)
	accept(t, s, "dead", testOptions, Duplicate)
	accept(t, s, "delivered", testOptions, Duplicate)
	if rest := markRest(t, s, eventRef("team/hooks", "delivered")); rest <= 0 || rest > testWindow+time.Second {
		t.Errorf("the mark of a delivered event ends in %s, want at most %s", rest, testWindow)
	}
	// Redis before 7.2 waits for all that was written before, by whomever. Later
	// ones don't, so that what is found must be written again.
	if got := master.Info("commandstats", "cmdstat_setrange"); !strings.HasPrefix(got, "calls=7,") {
		t.Errorf("SETRANGE: %q, want seven: one for each time that something stored was found", got)
	}
	// What was stored without a promise is delivered all the same, once.
	clock.Advance(testLease + time.Second)
	claim(t, s, 2)
}

func TestWithoutReplicasNothingIsPromised(t *testing.T) {
	master := redistest.Start(t)
	wantUnconfirmed(t, openWith(t, Options{URL: master.URL(), Wait: inVain}), "1", testOptions)
	redistest.StartReplica(t, master)
	accept(t, openWith(t, Options{URL: master.URL(), Wait: oneReplica}), "1", testOptions, Duplicate)
}

func TestARepeatedScriptIsConfirmedToo(t *testing.T) {
	_, clock, master, _ := replicated(t)
	proxy := redistest.StartProxy(t, master.Addr)
	s := openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: clock.Now, Wait: oneReplica})
	accept(t, s, "warm", testOptions, Accepted)
	proxy.LoseReplies(1)
	accept(t, s, "1", testOptions, Accepted)
	if !proxy.Lost() {
		t.Error("no reply was lost: the test tests nothing")
	}
}

func TestManyShareAWait(t *testing.T) {
	s, _, master, replica := replicated(t)
	waits := func() string { return master.Info("commandstats", "cmdstat_wait") }
	const n = 2000
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if i == n/2 {
				must(t, s.client.ScriptFlush(t.Context()).Err())
			}
			outcome, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", fmt.Sprint(i)), testOptions)
			if err != nil || outcome != Accepted {
				t.Errorf("Accept(%d) = %s, %v", i, outcome, err)
			}
		})
	}
	all.Wait()
	t.Logf("%d events: %s", n, waits())
	var calls int
	if _, err := fmt.Sscanf(waits(), "calls=%d,", &calls); err != nil || calls > n/2 {
		t.Errorf("%d waits for %d events, %v, want them shared", calls, n, err)
	}
	if got := replica.Do("DBSIZE"); got != master.Do("DBSIZE") {
		t.Errorf("the replica has %s keys after all was confirmed", got)
	}
}

// Claims and outcomes don't stand behind an Accept that waits in vain.
func TestDeliveriesDoNotWaitForReplicas(t *testing.T) {
	master := redistest.Start(t)
	s := openWith(t, Options{URL: master.URL(), Wait: Wait{Replicas: 1, Timeout: 1500 * time.Millisecond}})
	lease := owned(t, openWith(t, Options{URL: master.URL()}), "1")
	done := make(chan error, 1)
	go func() {
		_, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "2"), testOptions)
		done <- err
	}()
	redistest.Await(t, 10*time.Second, "an Accept waits", func() error {
		if master.Info("clients", "blocked_clients") != "1" {
			return errors.New("nobody is blocked")
		}
		return nil
	})
	must(t, s.Delivered(t.Context(), lease))
	select {
	case err := <-done:
		t.Fatalf("Accept ended before the outcome was written: %v", err)
	default:
	}
	if err := <-done; !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("got %v, want ErrUnconfirmed", err)
	}
}

func TestDuplicatesAreConfirmedWhileRedisIsFull(t *testing.T) {
	s, _, master, _ := replicated(t, "--maxmemory-policy", "noeviction")
	o := withContent('x')
	accept(t, s, "pending", o, Accepted)
	must(t, s.Delivered(t.Context(), owned(t, s, "delivered")))
	master.Do("CONFIG SET maxmemory 1")
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "new"), testOptions); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	accept(t, s, "pending", testOptions, Duplicate)
	accept(t, s, "delivered", testOptions, Duplicate)
}

// The server here may or may not know WAITAOF; either way this asserts what it
// must lead to.
func TestWaitForAppendOnlyFiles(t *testing.T) {
	plain := redistest.Start(t)
	known := plain.Do("COMMAND COUNT") != "" && openStore(t, plain, nil).client.Do(t.Context(), "waitaof", 0, 0, 1).Err() == nil
	master := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	both := Options{URL: master.URL(), Wait: Wait{LocalAOF: 1, ReplicaAOF: 1}}
	if !known {
		wantUnsupported(t, both, "7.2")
		t.Log("this server does not know WAITAOF, and is refused for it")
		return
	}
	wantUnsupported(t, Options{URL: plain.URL(), Wait: Wait{LocalAOF: 1}}, "append-only")
	local := openWith(t, Options{URL: master.URL(), Wait: Wait{LocalAOF: 1}})
	life(t, local, newFakeClock())
	s := openWith(t, both)
	_, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "aof"), testOptions)
	if !errors.Is(err, ErrUnconfirmed) || !strings.Contains(err.Error(), "1 of 1 servers and 0 of 1 replicas") {
		t.Errorf("got %v, want ErrUnconfirmed for lack of a replica", err)
	}
	replica := redistest.StartReplica(t, master, "--appendonly", "yes", "--appendfsync", "always")
	accept(t, s, "aof", testOptions, Duplicate)
	accept(t, s, "aof2", testOptions, Accepted)
	resume := stop(t, replica)
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "aof"), testOptions); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("a copy while the replica hangs: got %v, want ErrUnconfirmed", err)
	}
	resume()
}

func wantUnsupported(t *testing.T, o Options, says string) {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), says) {
		t.Fatalf("Open: got %v, want ErrUnsupported that says %q", err, says)
	}
}

// The server is away when the store opens: Ping says it, and nothing is promised.
func TestAnUnsupportedServerThatComesLater(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	s := openWith(t, Options{URL: server.URL(), Wait: Wait{LocalAOF: 1}})
	server.Restart() // keeps no append-only file
	if err := s.Ping(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Ping: got %v, want ErrUnsupported", err)
	}
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "1"), testOptions); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("Accept: got %v, want ErrUnconfirmed", err)
	}
}

func TestWaitReadsReplies(t *testing.T) {
	w := Wait{Replicas: 2, LocalAOF: 1, ReplicaAOF: 1}
	for name, test := range map[string]struct {
		replies []any
		says    string
	}{
		"after a while":    {[]any{int64(2), []any{int64(0), int64(0)}, []any{int64(1), int64(1)}}, ""},
		"enough":           {[]any{int64(2), []any{int64(1), int64(1)}}, ""},
		"more than enough": {[]any{int64(3), []any{int64(1), int64(2)}}, ""},
		"few in memory":    {[]any{int64(1), []any{int64(1), int64(1)}}, "1 of 2 replicas"},
		"not here on disk": {[]any{int64(2), []any{int64(0), int64(1)}}, "0 of 1 servers and 1 of 1 replicas"},
		"not there":        {[]any{int64(2), []any{int64(1), int64(0)}}, "1 of 1 servers and 0 of 1 replicas"},
		"an error":         {[]any{int64(2), errors.New("ERR no")}, "ERR no"},
		"a text":           {[]any{"OK"}, "unexpected"},
		"a short list":     {[]any{int64(2), []any{int64(1)}}, "unexpected"},
	} {
		t.Run(name, func(t *testing.T) {
			var commands []*redis.Cmd
			for _, reply := range test.replies {
				c := redis.NewCmd(t.Context())
				if err, ok := reply.(error); ok {
					c.SetErr(err)
				} else {
					c.SetVal(reply)
				}
				commands = append(commands, c)
			}
			err := w.check(commands)
			if test.says == "" && err != nil || test.says != "" && (!errors.Is(err, ErrUnconfirmed) || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want ErrUnconfirmed that says %q", err, test.says)
			}
		})
	}
}

func TestOpenRefusesWaitsThatMakeNoSense(t *testing.T) {
	for _, w := range []Wait{{Replicas: -1}, {LocalAOF: 2}, {LocalAOF: -1}, {ReplicaAOF: -1}, {Timeout: -1}, {Timeout: maxWaitTimeout + 1}} {
		if _, err := Open(t.Context(), Options{URL: "redis://127.0.0.1:1", Wait: w}); err == nil {
			t.Errorf("Open took %+v", w)
		}
	}
}
