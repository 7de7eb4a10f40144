package store

import (
	"errors"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

var beginOptions = BeginOptions{Window: testWindow, Lease: testLease}

func beginWithContent(first byte) BeginOptions {
	o := beginOptions
	o.Content = withContent(first).Content
	return o
}

// begin marks an event and wants one finding.
func begin(t *testing.T, s *Store, id string, o BeginOptions, want Beginning) Mark {
	t.Helper()
	got, m, err := s.Begin(t.Context(), "team/hooks", id, o)
	if err != nil || got != want {
		t.Fatalf("Begin(%s) = %s, %v, want %s", id, got, err, want)
	}
	return m
}

func wantBusy(t *testing.T, s *Store, id string, o BeginOptions, want error) {
	t.Helper()
	if got, _, err := s.Begin(t.Context(), "team/hooks", id, o); !errors.Is(err, want) {
		t.Fatalf("Begin(%s) = %s, %v, want %v", id, got, err, want)
	}
}

// end has the mark of an event end, as it does by itself after its lease.
func end(t *testing.T, s *Store, id string) {
	t.Helper()
	must(t, s.client.Del(t.Context(), eventName(eventRef("team/hooks", id))).Err())
}

func wantTTL(t *testing.T, s *Store, id string, want time.Duration) {
	t.Helper()
	got, err := s.client.PTTL(t.Context(), eventName(eventRef("team/hooks", id))).Result()
	if err != nil || got > want || got < want-time.Minute {
		t.Errorf("the key of %s ends in %s, %v, want %s", id, got, err, want)
	}
}

func wantFenced(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
}

func TestACopyOfWhatIsInFlightIsRefused(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	m := begin(t, s, "1", beginOptions, Begun)
	wantTTL(t, s, "1", testLease)
	wantBusy(t, s, "1", beginOptions, ErrInFlight)
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "1"), testOptions); !errors.Is(err, ErrInFlight) {
		t.Fatalf("to store a copy: got %v, want ErrInFlight", err)
	}
	must(t, s.Finish(t.Context(), m))
	must(t, s.Finish(t.Context(), m)) // as when the reply is lost
	if rest := markRest(t, s, eventRef("team/hooks", "1")); rest < testWindow || rest > testWindow+time.Second {
		t.Errorf("it is remembered for %s", rest)
	}
	begin(t, s, "1", beginOptions, DeliveredBefore)
	accept(t, s, "1", testOptions, Duplicate)
	wantStats(t, s, 0, 0, 0)
}

func TestWhatIsForgottenCanBeSentAgain(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	m := begin(t, s, "1", beginOptions, Begun)
	must(t, s.Forget(t.Context(), m))
	must(t, s.Forget(t.Context(), m)) // as when the reply is lost
	again := begin(t, s, "1", beginOptions, Begun)
	wantFenced(t, s.Forget(t.Context(), m))
	must(t, s.Finish(t.Context(), again))
	begin(t, s, "1", beginOptions, DeliveredBefore)
}

func TestBeginKnowsItsEarlierRun(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	m := newMark(eventRef("team/hooks", "1"), s.Now(), beginOptions)
	for range 2 {
		reply, err := s.run(t.Context(), beginScript, []string{eventName(m.ref), marksName(m.ref)}, m.value, 1000, s.markOf(m.ref))
		if err != nil || reply != "begun" {
			t.Fatalf("got %v, %v, want begun", reply, err)
		}
	}
}

// The process dies while the target works: nobody has to clear up.
func TestAfterACrashTheMarkEnds(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	o := beginOptions
	o.Lease = 50 * time.Millisecond
	begin(t, s, "1", o, Begun)
	deadline := time.Now().Add(30 * time.Second)
	for {
		found, _, err := s.Begin(t.Context(), "team/hooks", "1", o)
		if err == nil && found == Begun {
			return
		}
		if !errors.Is(err, ErrInFlight) || time.Now().After(deadline) {
			t.Fatalf("Begin = %s, %v", found, err)
		}
	}
}

func TestALateOwnerUndoesNothing(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	late := begin(t, s, "1", beginOptions, Begun)
	end(t, s, "1")
	next := begin(t, s, "1", beginOptions, Begun)
	wantFenced(t, s.Forget(t.Context(), late))
	wantBusy(t, s, "1", beginOptions, ErrInFlight)
	// That the late owner's target took the event is true, whatever comes of the next.
	must(t, s.Finish(t.Context(), late))
	must(t, s.Forget(t.Context(), next)) // which finds nothing of its own
	begin(t, s, "1", beginOptions, DeliveredBefore)
}

func TestFinishHoldsAfterTheMarkHasEnded(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	m := begin(t, s, "1", beginOptions, Begun)
	end(t, s, "1")
	must(t, s.Finish(t.Context(), m))
	begin(t, s, "1", beginOptions, DeliveredBefore)
}

// The mode of an endpoint may change while events are stored.
func TestWhatIsStoredStaysStored(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	late := begin(t, s, "1", beginOptions, Begun)
	end(t, s, "1")
	lease := owned(t, s, "1")
	begin(t, s, "1", beginOptions, StoredBefore)
	must(t, s.Finish(t.Context(), late))
	wantFenced(t, s.Forget(t.Context(), late))
	wantStats(t, s, 1, 0, 0)
	must(t, s.Delivered(t.Context(), lease))
	begin(t, s, "1", beginOptions, DeliveredBefore)
}

func TestContentInFlight(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := beginWithContent('x')
	m := begin(t, s, "1", o, Begun)
	wantBusy(t, s, "2", o, ErrInFlight)
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "3"), withContent('x')); !errors.Is(err, ErrInFlight) {
		t.Fatalf("to store the content: got %v, want ErrInFlight", err)
	}
	must(t, s.Forget(t.Context(), m))
	m = begin(t, s, "2", o, Begun) // the refusal left no mark, nor did what was forgotten
	must(t, s.Finish(t.Context(), m))
	begin(t, s, "1", o, ContentDelivered)
	begin(t, s, "1", o, ContentDelivered) // and not: in flight
	accept(t, s, "3", withContent('x'), ContentReplayed)
	begin(t, s, "2", o, DeliveredBefore)
}

func TestALateOwnerLeavesTheContentOfTheNext(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := beginWithContent('x')
	late := begin(t, s, "1", o, Begun)
	clock.Advance(testLease)
	end(t, s, "1")
	next := begin(t, s, "1", o, Begun)
	wantFenced(t, s.Forget(t.Context(), late))
	wantBusy(t, s, "2", o, ErrInFlight)
	must(t, s.Finish(t.Context(), next))
	begin(t, s, "2", o, ContentDelivered)
}

func TestContentAfterACrash(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := beginWithContent('x')
	begin(t, s, "1", o, Begun)
	end(t, s, "1")
	wantBusy(t, s, "2", o, ErrBusy) // for some seconds
	clock.Advance(settled)
	begin(t, s, "2", o, Begun)
}

func TestBeginWithoutRedis(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, newFakeClock())
	m := begin(t, s, "1", beginOptions, Begun)
	server.Kill()
	for doing, err := range map[string]error{"Finish": s.Finish(t.Context(), m), "Forget": s.Forget(t.Context(), m)} {
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", doing, err)
		}
	}
	wantBusy(t, s, "2", beginOptions, ErrUnavailable)
}

func TestWhenRedisIsFullWhatIsDeliveredIsStillMarked(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	m := begin(t, s, "1", beginOptions, Begun)
	forgotten := begin(t, s, "2", beginOptions, Begun)
	must(t, s.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	wantBusy(t, s, "3", beginOptions, ErrFull)
	must(t, s.Finish(t.Context(), m))
	must(t, s.Forget(t.Context(), forgotten))
	begin(t, s, "1", beginOptions, DeliveredBefore)
}

func TestBeginRefusesOptionsThatCannotBeRight(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	for _, o := range []BeginOptions{{Window: time.Hour}, {Lease: time.Second}} {
		if _, _, err := s.Begin(t.Context(), "team/hooks", "1", o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestWhatIsOfANewerVersionIsNoDuplicate: a copy of an event whose key says nothing
// that this build knows may never have been delivered.
func TestWhatIsOfANewerVersionIsNoDuplicate(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	key := eventName(eventRef("team/hooks", "1"))
	must(t, s.client.Set(t.Context(), key, "Zsomething", 0).Err())
	wantBusy(t, s, "1", beginOptions, errForeign)
	if outcome, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "1"), testOptions); !errors.Is(err, errForeign) {
		t.Fatalf("Accept = %s, %v, want errForeign", outcome, err)
	}
	if kept := s.client.Get(t.Context(), key).Val(); kept != "Zsomething" {
		t.Errorf("the key holds %q now", kept)
	}
}
