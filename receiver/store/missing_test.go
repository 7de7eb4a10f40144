package store

import (
	"errors"
	"testing"

	"sallyport.dev/sallyport/test/redistest"
)

// An entry of an event that is gone is the loss of an event that was accepted. It is
// reported once, wherever it is found.
func TestMissingEventsAreReported(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	lose := func(r ref) { must(t, s.client.Del(t.Context(), eventName(r)).Err()) }
	wantMissing := func(where string, want ...string) {
		t.Helper()
		got := s.TakeMissing()
		if got.Count != int64(len(want)) || len(got.Deliveries) != len(want) || len(want) > 0 && got.Deliveries[0] != want[0] {
			t.Errorf("%s: %+v are missing, want %q", where, got, want)
		}
	}
	must(t, s.Delivered(t.Context(), owned(t, s, "delivered")))

	lost := owned(t, s, "leased")
	lose(lost.ref)
	clock.Advance(2 * testLease)
	claim(t, s, 0)
	wantMissing("claim", member(lost.ref, ""))
	claim(t, s, 0)
	wantMissing("a second claim")

	held(t, s, "held")
	id := eventRef("team/hooks", "held")
	lose(id)
	refill(t, s, 0)
	wantMissing("refill", member(id, ""))

	dead := func(id string) DeadLetter {
		t.Helper()
		lease := owned(t, s, id)
		must(t, s.DeadLetter(t.Context(), lease, Failure{Attempts: 1}))
		letters := deadLetters(t, s, DeadQuery{}, 1)
		lose(lease.ref)
		return letters[0]
	}
	if err := s.Revive(t.Context(), dead("revived")); !errors.Is(err, ErrFenced) {
		t.Errorf("revive: %v", err)
	}
	wantMissing("revive", member(eventRef("team/hooks", "revived"), ""))
	if err := s.Purge(t.Context(), dead("purged")); !errors.Is(err, ErrFenced) {
		t.Errorf("purge: %v", err)
	}
	wantMissing("purge", member(eventRef("team/hooks", "purged"), ""))
	dead("listed")
	deadLetters(t, s, DeadQuery{}, 0)
	wantMissing("list", member(eventRef("team/hooks", "listed"), ""))

	dead("counted")
	for p := range partitions {
		must(t, s.client.Del(t.Context(), usageName[p]).Err())
	}
	if _, err := s.Recount(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantMissing("recount", member(eventRef("team/hooks", "counted"), ""))
}

func TestFewOfManyMissingEventsAreNamed(t *testing.T) {
	var m missing
	for range 100 {
		m.note("x", "y")
	}
	if m.found.Count != 200 || len(m.found.Deliveries) != maxMissing {
		t.Errorf("%d are missing, %d of them named", m.found.Count, len(m.found.Deliveries))
	}
}
