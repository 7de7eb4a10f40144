package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// long is more than any Redis here needs to come back, on a busy machine too.
const long = time.Minute

// The waits are those of a clock that moves when all wait.
func TestAStepIsTriedAgainWhileRedisIsAway(t *testing.T) {
	away, lagging := fmt.Errorf("store: %w: LOADING", ErrUnavailable), fmt.Errorf("store: %w", ErrUnconfirmed)
	for name, test := range map[string]struct {
		until time.Duration
		errs  func(since time.Duration) error
		want  error
		least int           // tries
		took  time.Duration // at most
		again int
	}{
		"no patience":                {errs: func(time.Duration) error { return away }, want: ErrUnavailable, least: 1},
		"it works at once":           {until: 8 * time.Second, errs: func(time.Duration) error { return nil }, least: 1},
		"it is back after 5 s":       {until: 8 * time.Second, errs: until(5*time.Second, away), least: 10, took: 5*time.Second + maxPause, again: 1},
		"it has a replica after 5 s": {until: 8 * time.Second, errs: until(5*time.Second, lagging), least: 10, took: 5*time.Second + maxPause, again: 1},
		"it stays away":              {until: 8 * time.Second, errs: until(time.Hour, away), want: ErrUnavailable, least: 15, took: 8 * time.Second, again: 1},
		"it is full":                 {until: 8 * time.Second, errs: until(time.Hour, ErrFull), want: ErrFull, least: 1},
		"the endpoint has too much":  {until: 8 * time.Second, errs: until(time.Hour, ErrQueueFull), want: ErrQueueFull, least: 1},
		"what is stored is foreign":  {until: 8 * time.Second, errs: until(time.Hour, errForeign), want: errForeign, least: 1},
		"a copy is in flight":        {until: 8 * time.Second, errs: until(time.Hour, ErrInFlight), want: ErrInFlight, least: 1},
		"its content is being kept":  {until: 8 * time.Second, errs: until(time.Hour, ErrBusy), want: ErrBusy, least: 1},
		"it turns out to be full":    {until: 8 * time.Second, errs: then(away, ErrFull), want: ErrFull, least: 2, took: maxPause + time.Second, again: 1},
		"a try that takes its time":  {until: 3 * time.Second, errs: func(time.Duration) error { time.Sleep(2 * time.Second); return away }, want: ErrUnavailable, least: 2, took: 4*time.Second + maxPause, again: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started, tries, again := time.Now(), 0, 0
				p := Patience{Until: started.Add(test.until), Again: func() { again++ }}
				err := p.persist(t.Context(), func() error {
					tries++
					return test.errs(time.Since(started))
				})
				if !errors.Is(err, test.want) || tries < test.least || again != test.again {
					t.Errorf("after %d tries: %v, told %d times; want %v, %d tries at least and told %d times", tries, err, again, test.want, test.least, test.again)
				}
				if took := time.Since(started); took > test.took || tries > 60 || test.least == 1 && tries != 1 {
					t.Errorf("%d tries took %s, want at most %s", tries, took, test.took)
				}
			})
		})
	}
}

// until returns err until so long after the start.
func until(end time.Duration, err error) func(time.Duration) error {
	return func(since time.Duration) error {
		if since < end {
			return err
		}
		return nil
	}
}

// then returns one error at first, and another one later.
func then(first, later error) func(time.Duration) error {
	return func(since time.Duration) error {
		if since == 0 {
			return first
		}
		return later
	}
}

func TestPatienceEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		err := Patience{Until: started.Add(long)}.persist(ctx, func() error { return ErrUnavailable })
		if took := time.Since(started); !errors.Is(err, ErrUnavailable) || took != time.Second {
			t.Errorf("after %s: %v, want ErrUnavailable after a second", took, err)
		}
	})
}

// whileAway calls step, brings Redis back when it has been tried once in vain, and
// returns when step has.
func whileAway(t *testing.T, back func(), step func(Patience)) {
	t.Helper()
	tried, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		step(Patience{Until: time.Now().Add(long), Again: func() { close(tried) }})
	}()
	select {
	case <-tried:
		back()
	case <-done:
		t.Error("it was not tried again: the test tests nothing")
	}
	<-done
}

// Whatever keeps Redis from taking an event, it is taken when that is over, and is the
// caller's to deliver.
func TestAnEventOutlastsAnOutage(t *testing.T) {
	for name, outage := range map[string]struct {
		begin, end func(*redistest.Server)
	}{
		"Redis is killed and comes back":      {(*redistest.Server).Kill, (*redistest.Server).Restart},
		"it is a replica until it takes over": {do("REPLICAOF 127.0.0.1 1"), do("REPLICAOF NO ONE")},
		"its master is gone": {
			func(s *redistest.Server) {
				s.Do("CONFIG SET replica-serve-stale-data no")
				s.Do("REPLICAOF 127.0.0.1 1")
			}, do("REPLICAOF NO ONE"),
		},
		"it lacks a replica": {do("CONFIG SET min-replicas-to-write 1"), do("CONFIG SET min-replicas-to-write 0")},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, "--appendonly", "yes")
			s := openStore(t, server, nil)
			owned(t, s, "before")
			outage.begin(server)
			whileAway(t, func() { outage.end(server) }, func(p Patience) {
				o := withContent(1)
				o.Patience = p
				outcome, leases, err := s.Accept(t.Context(), sampleEvent("team/hooks", "1"), o)
				if err != nil || outcome != Accepted || len(leases) != 1 {
					t.Errorf("Accept = %s, %d leases, %v, want it accepted", outcome, len(leases), err)
					return
				}
				must(t, s.Delivered(t.Context(), leases[0]))
			})
		})
	}
}

func do(command string) func(*redistest.Server) {
	return func(s *redistest.Server) { s.Do(command) }
}

// The event is stored, and nobody hears of it. Who asks again owns it, so that nobody
// has to wait for the end of a lease.
func TestAnEventWhoseReplyIsLostIsOwnedByTheNextTry(t *testing.T) {
	for name, options := range map[string]AcceptOptions{"": testOptions, "with its content": withContent(1)} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.StartProxy(t, server.Addr)
			clock := newFakeClock()
			s := openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: clock.Now})
			direct := openStore(t, server, clock)
			accept(t, s, "warm", testOptions, Accepted)
			proxy.LoseReplies(1000)
			whileAway(t, func() { proxy.LoseReplies(0) }, func(p Patience) {
				o := options
				o.Patience = p
				leases := accept(t, s, "1", o, Accepted)
				clock.Advance(testLease / 2) // it is not over: the lease is that of the first try
				must(t, s.Delivered(t.Context(), leases[0]))
			})
			accept(t, direct, "1", testOptions, Duplicate)
			wantStats(t, direct, 1, 0, 0)
		})
	}
}

// A lease must be worth something when the event is stored at last.
func TestTriesShareAFenceWhileTheirLeaseLasts(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	a := s.newAcceptance(sampleEvent("team/hooks", "1"), testOptions)
	first := a.prepare(s)[1]
	clock.Advance(testLease / 2)
	if second := a.prepare(s)[1]; second != first {
		t.Errorf("the second try has the fence %v, want that of the first, %v", second, first)
	}
	clock.Advance(testLease/4 + time.Second)
	if third := a.prepare(s)[1]; third == first {
		t.Error("a try has a fence that is nearly over")
	}
}

func TestAMarkOutlastsAnOutage(t *testing.T) {
	for name, options := range map[string]BeginOptions{"": beginOptions, "with its content": beginWithContent(1)} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.StartProxy(t, server.Addr)
			s := openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: newFakeClock().Now})
			begin(t, s, "warm", beginOptions, Begun)
			proxy.LoseReplies(1000)
			whileAway(t, func() { proxy.LoseReplies(0) }, func(p Patience) {
				o := options
				o.Patience = p
				m := begin(t, s, "1", o, Begun) // and not in flight already
				must(t, s.Forget(t.Context(), m))
				m = begin(t, s, "1", options, Begun)
				must(t, s.Finish(t.Context(), m))
			})
		})
	}
}

// Too few replicas: the event is there, and is vouched for when one has come.
func TestAnEventWaitsForAReplica(t *testing.T) {
	master := redistest.Start(t)
	s := openWith(t, Options{URL: master.URL(), Clock: newFakeClock().Now, Wait: inVain})
	whileAway(t, func() { redistest.StartReplica(t, master) }, func(p Patience) {
		o := testOptions
		o.Patience = p
		must(t, s.Delivered(t.Context(), accept(t, s, "1", o, Accepted)[0]))
	})
}
