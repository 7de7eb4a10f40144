package store

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

func TestAcceptStoresOnce(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	lease := owned(t, s, "1")
	if want := clock.Now().Add(testLease); lease.Until.Sub(want).Abs() > time.Millisecond {
		t.Errorf("the lease ends at %s, want %s", lease.Until, want)
	}
	for range 2 {
		if leases := accept(t, s, "1", testOptions, Duplicate); len(leases) != 0 {
			t.Errorf("a duplicate owns %d leases", len(leases))
		}
	}
	claim(t, s, 0)
	wantStats(t, s, 1, 0, 0)
	if ttl := s.client.TTL(t.Context(), eventName(lease.ref)).Val(); ttl != -1 {
		t.Errorf("a pending event expires in %s", ttl)
	}
}

// TestIDsBelongToTheirEndpoint: two endpoints of one sender get events of the same ids,
// and what one has delivered is new to the other.
func TestIDsBelongToTheirEndpoint(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	must(t, s.Delivered(t.Context(), owned(t, s, "1")))
	for _, want := range []Outcome{Accepted, Duplicate} {
		if got, _, err := s.Accept(t.Context(), sampleEvent("team/others", "1"), testOptions); err != nil || got != want {
			t.Errorf("at another endpoint it is %s, %v, want %s", got, err, want)
		}
	}
	accept(t, s, "1", testOptions, Duplicate)
}

func TestDeliveredLeavesAMarkForTheRestOfTheWindow(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	lease := owned(t, s, "1")
	clock.Advance(10 * time.Minute)
	must(t, s.Delivered(t.Context(), lease))
	wantStats(t, s, 0, 0, 0)
	accept(t, s, "1", testOptions, Duplicate)
	if n := s.client.Exists(t.Context(), eventName(lease.ref)).Val(); n > 0 {
		t.Error("a delivered event still has its key")
	}
	if rest := markRest(t, s, lease.ref); rest < 50*time.Minute || rest > 50*time.Minute+time.Second {
		t.Errorf("the mark ends in %s, want 50m", rest)
	}
	if life := s.client.TTL(t.Context(), marksName(lease.ref)).Val(); life < 50*time.Minute {
		t.Errorf("the hash of the mark ends in %s, before the mark", life)
	}
	clock.Advance(50*time.Minute - time.Second)
	accept(t, s, "1", testOptions, Duplicate)
	clock.Advance(2 * time.Second)
	claim(t, s, 0)
	accept(t, s, "1", testOptions, Accepted)
}

// markRest is when the mark of an event ends, from now on; 0: there is none.
func markRest(t *testing.T, s *Store, r ref) time.Duration {
	t.Helper()
	value, err := s.client.HGet(t.Context(), marksName(r), string(s.markOf(r)[:markField])).Bytes()
	if errors.Is(err, redis.Nil) {
		return 0
	}
	must(t, err)
	return time.Unix(int64(binary.BigEndian.Uint32(value)), 0).Sub(s.Now())
}

func TestDeliveredAfterTheWindowLeavesNothing(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	lease := owned(t, s, "1")
	clock.Advance(2 * testWindow)
	must(t, s.Delivered(t.Context(), lease))
	if keys := s.client.DBSize(t.Context()).Val(); keys != 0 {
		t.Errorf("%d keys are left, want none", keys)
	}
	accept(t, s, "1", testOptions, Accepted)
}

func TestAnAbandonedDeliveryIsClaimedWhenItsLeaseEnds(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	owned(t, s, "1")
	clock.Advance(testLease - time.Millisecond)
	claim(t, s, 0)
	clock.Advance(2 * time.Millisecond)
	d := claim(t, s, 1)[0]
	want := sampleEvent("team/hooks", "1")
	want.BodySHA256 = "e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad" // of 2048 zeros
	if !reflect.DeepEqual(d.Event, want) {
		t.Errorf("claimed\n%+v, want\n%+v", d.Event, want)
	}
	if d.Failure != (Failure{}) {
		t.Errorf("failure %+v of a delivery that was never attempted", d.Failure)
	}
	claim(t, s, 0)
	must(t, s.Delivered(t.Context(), d.Lease))
	wantStats(t, s, 0, 0, 0)
}

func TestRetry(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	f := Failure{Attempts: 1, Error: "answered 500", First: clock.Now()}
	must(t, s.Retry(t.Context(), owned(t, s, "1"), clock.Now().Add(time.Minute), f))
	wantStats(t, s, 1, 1, 0)
	accept(t, s, "1", testOptions, Duplicate)
	clock.Advance(time.Minute - time.Millisecond)
	claim(t, s, 0)
	clock.Advance(time.Millisecond)
	d := claim(t, s, 1)[0]
	if d.Failure.Attempts != 1 || d.Failure.Error != f.Error || !d.Failure.First.Equal(f.First) {
		t.Errorf("failure %+v, want %+v", d.Failure, f)
	}
	must(t, s.Delivered(t.Context(), d.Lease))
	wantStats(t, s, 0, 0, 0)
	if n := s.client.HLen(t.Context(), attemptsName[d.Lease.ref.partition()]).Val(); n != 0 {
		t.Errorf("%d failures stay of a delivered event", n)
	}
}

func TestDeadIsRevivedByADuplicate(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	must(t, s.DeadLetter(t.Context(), owned(t, s, "1"), Failure{Attempts: 12, Error: "answered 500"}))
	wantStats(t, s, 0, 0, 1)
	clock.Advance(100 * testWindow)
	claim(t, s, 0)
	if leases := accept(t, s, "1", testOptions, Revived); len(leases) != 0 {
		t.Errorf("%d leases, want none: the stored copy is what is delivered", len(leases))
	}
	wantStats(t, s, 1, 0, 0)
	accept(t, s, "1", testOptions, Duplicate)
	d := claim(t, s, 1)[0]
	if d.Failure.Attempts != 0 || !d.Failure.Since.Equal(clock.Now()) {
		t.Errorf("failure %+v, want no attempts, since %s", d.Failure, clock.Now())
	}
	must(t, s.Delivered(t.Context(), d.Lease))
}

func TestReleaseSpendsNothing(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	must(t, s.Release(t.Context(), owned(t, s, "1")))
	d := claim(t, s, 1)[0]
	if d.Failure != (Failure{}) {
		t.Errorf("failure %+v without an attempt", d.Failure)
	}
	wantStats(t, s, 1, 0, 0)
}

func TestRenew(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	old := owned(t, s, "1")
	clock.Advance(testLease - time.Second)
	renewed, err := s.Renew(t.Context(), old, testLease)
	must(t, err)
	clock.Advance(2 * time.Second)
	claim(t, s, 0)
	if err := s.Delivered(t.Context(), old); !errors.Is(err, ErrFenced) {
		t.Errorf("the old lease: got %v, want ErrFenced", err)
	}
	must(t, s.Delivered(t.Context(), renewed))
}

func TestALateOwnerChangesNothing(t *testing.T) {
	later := func(s *Store) time.Time { return s.Now().Add(time.Hour) }
	transitions := map[string]func(*testing.T, *Store, Lease) error{
		"Delivered": func(t *testing.T, s *Store, l Lease) error { return s.Delivered(t.Context(), l) },
		"Retry": func(t *testing.T, s *Store, l Lease) error {
			return s.Retry(t.Context(), l, later(s), Failure{Attempts: 1})
		},
		"DeadLetter": func(t *testing.T, s *Store, l Lease) error {
			return s.DeadLetter(t.Context(), l, Failure{Attempts: 1})
		},
		"Release": func(t *testing.T, s *Store, l Lease) error { return s.Release(t.Context(), l) },
		"Renew": func(t *testing.T, s *Store, l Lease) error {
			_, err := s.Renew(t.Context(), l, time.Hour)
			return err
		},
	}
	server := redistest.Start(t)
	for name, transition := range transitions {
		t.Run(name, func(t *testing.T) {
			clock := newFakeClock()
			s := openStore(t, server, clock)
			must(t, s.client.FlushAll(t.Context()).Err())
			late := owned(t, s, "1")
			clock.Advance(testLease + time.Second)
			current := claim(t, s, 1)[0].Lease
			if err := transition(t, s, late); !errors.Is(err, ErrFenced) {
				t.Fatalf("got %v, want ErrFenced", err)
			}
			claim(t, s, 0)
			wantStats(t, s, 1, 0, 0)
			must(t, s.DeadLetter(t.Context(), current, Failure{Attempts: 1}))
			clock.Advance(time.Millisecond) // in the same one it would be a repetition
			if err := transition(t, s, late); !errors.Is(err, ErrFenced) {
				t.Fatalf("of a dead letter: got %v, want ErrFenced", err)
			}
			wantStats(t, s, 0, 0, 1)
		})
	}
}

func TestEachTargetIsADeliveryOfItsOwn(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := testOptions
	o.Targets = []string{"", "invoices", "audit"}
	leases := accept(t, s, "1", o, Accepted)
	if len(leases) != 3 {
		t.Fatalf("%d leases, want 3", len(leases))
	}
	must(t, s.Delivered(t.Context(), leases[0]))
	must(t, s.DeadLetter(t.Context(), leases[1], Failure{Attempts: 1}))
	must(t, s.Delivered(t.Context(), leases[2]))
	wantStats(t, s, 0, 0, 1)
	if got := s.client.GetRange(t.Context(), eventName(leases[0].ref), 0, 0).Val(); got != "P" {
		t.Fatalf("state %q, want P: the dead letter needs the payload", got)
	}
	accept(t, s, "1", o, Revived)
	d := claim(t, s, 1)[0]
	if d.Lease.Target != "invoices" {
		t.Errorf("revived the delivery to %q, want the dead one", d.Lease.Target)
	}
	must(t, s.Delivered(t.Context(), d.Lease))
	if rest := markRest(t, s, d.Lease.ref); rest <= 0 {
		t.Error("no mark stays after the last delivery")
	}
}

func TestAcceptRefusesOptionsThatWouldLoseEvents(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	for _, o := range []AcceptOptions{{Lease: testLease}, {Window: testWindow}} {
		if _, _, err := s.Accept(t.Context(), sampleEvent("a/b", "1"), o); err == nil {
			t.Errorf("Accept took %+v", o)
		}
	}
}
