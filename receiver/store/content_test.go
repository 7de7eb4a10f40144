package store

import (
	"errors"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

func withContent(first byte) AcceptOptions {
	o := testOptions
	o.Content = &[32]byte{first, 1}
	return o
}

func TestContentIsRefusedUnderAnotherID(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	lease := accept(t, s, "1", withContent('x'), Accepted)[0]
	accept(t, s, "1", withContent('x'), Duplicate)
	accept(t, s, "2", withContent('x'), ContentReplayed)
	accept(t, s, "3", withContent('y'), Accepted)
	must(t, s.Delivered(t.Context(), lease))
	accept(t, s, "2", withContent('x'), ContentReplayed)
	wantStats(t, s, 1, 0, 0)
}

// Content that only came along with a duplicate was never stored: to refuse it
// as seen would lose it.
func TestContentOfADuplicateIsNotSeen(t *testing.T) {
	for name, first := range map[string]AcceptOptions{"other content": withContent('x'), "content not remembered": testOptions} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, redistest.Start(t), newFakeClock())
			lease := accept(t, s, "1", first, Accepted)[0]
			accept(t, s, "1", withContent('y'), Duplicate)
			accept(t, s, "2", withContent('y'), Accepted)
			must(t, s.Delivered(t.Context(), lease))
			accept(t, s, "3", withContent('y'), ContentReplayed)
		})
	}
}

// A process dies between the two steps: the mark is there, the event is not.
func TestAMarkWithoutAnEventIsTakenOver(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := withContent('x')
	id := eventRef("team/hooks", "1")
	if _, err := s.markContent(t.Context(), "team/hooks", id, o); err != nil {
		t.Fatal(err)
	}
	clock.Advance(settled - time.Millisecond)
	_, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "2"), o)
	if !errors.Is(err, ErrBusy) {
		t.Fatalf("another id at once: got %v, want ErrBusy", err)
	}
	clock.Advance(time.Millisecond)
	accept(t, s, "2", o, Accepted)
	accept(t, s, "1", o, ContentReplayed)
}

func TestTheSameIDGoesOnAfterACrash(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := withContent('x')
	if _, err := s.markContent(t.Context(), "team/hooks", eventRef("team/hooks", "1"), o); err != nil {
		t.Fatal(err)
	}
	accept(t, s, "1", o, Accepted)
}

func TestADamagedMarkIsTakenOver(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := withContent('x')
	must(t, s.client.Set(t.Context(), contentName(contentRef("team/hooks", o.Content)), "?|?", 0).Err())
	accept(t, s, "1", o, Accepted)
}
