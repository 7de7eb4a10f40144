package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// wantUsage wants an endpoint to have so much stored.
func wantUsage(t *testing.T, s *Store, want Usage) {
	t.Helper()
	got, err := s.Usage(t.Context(), []string{"team/nobody", want.Endpoint})
	if err != nil || len(got) != 2 || got[0] != (Usage{Endpoint: "team/nobody"}) || got[1] != want {
		t.Fatalf("stored are %+v, %v, want nothing and %+v", got, err, want)
	}
}

// mended has what is stored counted anew, which was wrong in so many partitions.
func mended(t *testing.T, s *Store, want int) {
	t.Helper()
	got, err := s.Recount(t.Context())
	if err != nil || got.Mended != want || got.Crowded != 0 {
		t.Fatalf("Recount = %+v, %v, want %d mended", got, err, want)
	}
}

// storedSize is what an event takes that was stored by accept.
func storedSize(id string, targets ...string) int64 {
	if targets == nil {
		targets = []string{""}
	}
	return int64(len((&record{event: sampleEvent("team/hooks", id), facts: facts{targets: targets}}).encode()))
}

func TestUsageFollowsEveryTransition(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := testOptions
	o.Targets = []string{"", "invoices"}
	size := storedSize("1", o.Targets...)
	now := Usage{Endpoint: "team/hooks"}
	is := func(pending, held, dead, bytes int64) {
		t.Helper()
		now.Pending, now.Held, now.Dead, now.Bytes = pending, held, dead, bytes
		wantUsage(t, s, now)
	}
	leases := accept(t, s, "1", o, Accepted)
	is(2, 0, 0, size)
	accept(t, s, "1", o, Duplicate)
	is(2, 0, 0, size)
	must(t, s.Hold(t.Context(), leases[0], hooks.Endpoint, clock.Now()))
	is(2, 1, 0, size)
	must(t, s.DeadLetter(t.Context(), leases[1], Failure{Attempts: 3}))
	is(1, 1, 1, size)
	refilled := refill(t, s, 1)[0]
	is(1, 0, 1, size)
	must(t, s.Delivered(t.Context(), refilled.Lease))
	is(0, 0, 1, size)
	accept(t, s, "1", o, Revived)
	is(1, 0, 0, size)
	c, err := s.Claim(t.Context(), ClaimOptions{Max: 1, MaxBytes: 1, Lease: testLease, Blocked: []Target{{hooks.Endpoint, "invoices"}}})
	if err != nil || c.Held != 1 {
		t.Fatalf("held %d, %v, want 1", c.Held, err)
	}
	is(1, 1, 0, size)
	must(t, s.Delivered(t.Context(), refill(t, s, 1)[0].Lease))
	is(0, 0, 0, 0)
	mended(t, s, 0)
	for p := range partitions {
		if n := s.client.Exists(t.Context(), usageName[p], deadOfName(p, hooks.Endpoint)).Val(); n != 0 {
			t.Errorf("partition %d keeps something of an endpoint that has nothing", p)
		}
	}
}

// An owner who is late, and a duplicate, count nothing.
func TestWhatChangesNothingIsNotCounted(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	late := owned(t, s, "1")
	clock.Advance(testLease + time.Second)
	current := claim(t, s, 1)[0].Lease
	_ = s.Delivered(t.Context(), late)
	_ = s.DeadLetter(t.Context(), late, Failure{})
	_ = s.Hold(t.Context(), late, hooks.Endpoint, clock.Now())
	wantUsage(t, s, Usage{"team/hooks", 1, 0, 0, storedSize("1")})
	must(t, s.DeadLetter(t.Context(), current, Failure{}))
	must(t, s.DeadLetter(t.Context(), current, Failure{})) // as after a lost reply
	wantUsage(t, s, Usage{"team/hooks", 0, 0, 1, storedSize("1")})
}

// ofPartition returns ids of events of an endpoint that are in one partition.
func ofPartition(endpoint string, p, n int) []string {
	var ids []string
	for i := 0; len(ids) < n; i++ {
		if id := fmt.Sprint("in-", p, "-", i); eventRef(endpoint, id).partition() == p {
			ids = append(ids, id)
		}
	}
	return ids
}

// forgetCounts makes a store count anew, as it does by itself after a moment.
func forgetCounts(s *Store) { s.rooms = rooms{} }

func TestMaxQueuedBytes(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	ids := ofPartition("team/hooks", 7, 5)
	o := testOptions
	o.MaxQueuedBytes = 3 * (storedSize(ids[0]) + besideDelivery)
	refused := func(endpoint, id string) {
		t.Helper()
		if _, _, err := s.Accept(t.Context(), sampleEvent(endpoint, id), o); !errors.Is(err, ErrQueueFull) || errors.Is(err, ErrUnavailable) {
			t.Fatalf("to store %s: got %v, want ErrQueueFull", id, err)
		}
	}
	first := accept(t, s, ids[0], o, Accepted)[0]
	second := accept(t, s, ids[1], o, Accepted)[0]
	accept(t, s, ids[0], o, Duplicate) // what is stored stays known
	wantUsage(t, s, Usage{"team/hooks", 2, 0, 0, storedSize(ids[0]) + storedSize(ids[1])})
	accept(t, s, ofPartition("team/hooks", 8, 1)[0], o, Accepted)
	refused("team/hooks", ofPartition("team/hooks", 9, 1)[0])
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/others", ofPartition("team/others", 7, 1)[0]), o); err != nil {
		t.Fatalf("an event of another endpoint: %v", err)
	}

	must(t, s.Delivered(t.Context(), first))
	forgetCounts(s)
	third := accept(t, s, ids[2], o, Accepted)[0]
	refused("team/hooks", ids[3])
	must(t, s.DeadLetter(t.Context(), third, Failure{}))
	refused("team/hooks", ids[3]) // a dead letter takes room, too
	must(t, s.Purge(t.Context(), deadLetters(t, s, DeadQuery{}, 1)[0]))
	forgetCounts(s)
	accept(t, s, ids[3], o, Accepted)
	must(t, s.Delivered(t.Context(), second))

	o.MaxQueuedBytes = 1
	refused("team/hooks", ids[4])
	o.MaxQueuedBytes = 0
	accept(t, s, ids[4], o, Accepted)
	o.MaxQueuedBytes = -1
	if _, _, err := s.Accept(t.Context(), sampleEvent("a/b", "1"), o); err == nil {
		t.Error("a negative bound was taken")
	}
}

// What is refused leaves no mark: it is stored as soon as there is room.
func TestWhatIsRefusedForLackOfRoomIsNoReplay(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	ids := ofPartition("team/hooks", 3, 2)
	first := accept(t, s, ids[0], testOptions, Accepted)[0]
	o := withContent('x')
	o.MaxQueuedBytes = 1
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", ids[1]), o); !errors.Is(err, ErrQueueFull) {
		t.Fatalf("got %v, want ErrQueueFull", err)
	}
	must(t, s.Delivered(t.Context(), first))
	forgetCounts(s)
	accept(t, s, ids[1], o, Accepted)
}

func TestRecountMendsWhatIsWrong(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	dead := owned(t, s, "dead")
	must(t, s.DeadLetter(t.Context(), dead, Failure{Attempts: 1}))
	held(t, s, "held")
	owned(t, s, "leased")
	gone := owned(t, s, "gone")
	must(t, s.DeadLetter(t.Context(), gone, Failure{Attempts: 1}))
	want := Usage{"team/hooks", 2, 1, 1, storedSize("dead") + storedSize("held") + storedSize("leased")}
	mended(t, s, 0)

	// A version that counts nothing wrote all that, and somebody deleted an event.
	for p := range partitions {
		must(t, s.client.Del(t.Context(), usageName[p], deadOfName(p, hooks.Endpoint)).Err())
	}
	must(t, s.client.Del(t.Context(), eventName(gone.ref)).Err())
	got, err := s.Recount(t.Context())
	if err != nil || got.Mended == 0 || got.Crowded != 0 {
		t.Fatalf("Recount = %+v, %v", got, err)
	}
	wantUsage(t, s, want)
	if l := deadLetters(t, s, DeadQuery{}, 1)[0]; l.Event.ID != "dead" {
		t.Errorf("the dead letter is %s", l.Event.ID)
	}
	wantStats(t, s, 2, 0, 1)
	mended(t, s, 0)

	// A row that counts too much, and an entry of a dead letter that is none.
	p := dead.ref.partition()
	must(t, s.client.HSet(t.Context(), usageName[p], hooks.Endpoint, "5 4 3 2").Err())
	must(t, s.client.HSet(t.Context(), usageName[p], "team/others", "x").Err())
	must(t, s.client.ZAdd(t.Context(), deadOfName(p, hooks.Endpoint), zAt(1, "nothing")).Err())
	mended(t, s, 1)
	wantUsage(t, s, want)
	deadLetters(t, s, DeadQuery{}, 1)
}

func TestRecountLeavesWhatIsTooMuch(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	for i := range recountMost + 1 {
		must(t, s.client.ZAdd(t.Context(), dueName[5], zAt(float64(i), fmt.Sprint(i))).Err())
	}
	got, err := s.Recount(t.Context())
	if err != nil || got.Crowded != 1 || got.Mended != 0 {
		t.Errorf("Recount = %+v, %v, want one partition too full", got, err)
	}
}
