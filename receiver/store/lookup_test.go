package store

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

func TestEventName(t *testing.T) {
	name := EventName("team/hooks", "1")
	if !regexp.MustCompile("^[0-9a-f]{48}$").MatchString(name) || name == EventName("team/hook", "s1") {
		t.Errorf("the name is %q", name)
	}
	if id, err := parseName(name); err != nil || id != eventRef("team/hooks", "1") {
		t.Errorf("it is read as %q, %v", id, err)
	}
	for _, wrong := range []string{"", "x", name[1:], name + "0", strings.ToUpper(name), strings.Repeat("g", 48)} {
		if _, err := parseName(wrong); !errors.Is(err, ErrName) {
			t.Errorf("%q: got %v, want ErrName", wrong, err)
		}
	}
}

func lookup(t *testing.T, s *Store, want int, ids ...string) []EventInfo {
	t.Helper()
	var names []string
	for _, id := range ids {
		names = append(names, EventName("team/hooks", id))
	}
	infos, err := s.Lookup(t.Context(), names)
	if err != nil || len(infos) != want {
		t.Fatalf("found %d of %q, %v, want %d", len(infos), ids, err, want)
	}
	return infos
}

func TestLookup(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := testOptions
	o.Targets = []string{"pending", "retrying", "held", "dead", "done"}
	leases := accept(t, s, "1", o, Accepted)
	failure := Failure{Attempts: 2, Error: "answered 500"}
	later := clock.Now().Add(time.Hour)
	must(t, s.Retry(t.Context(), leases[1], later, failure))
	must(t, s.Hold(t.Context(), leases[2], hooks.Endpoint, clock.Now()))
	must(t, s.DeadLetter(t.Context(), leases[3], failure))
	must(t, s.Delivered(t.Context(), leases[4]))
	must(t, s.Delivered(t.Context(), owned(t, s, "2")))
	begin(t, s, "3", beginOptions, Begun)
	newer := owned(t, s, "4")
	must(t, s.client.SetRange(t.Context(), eventName(newer.ref), 1, "\x07").Err())

	infos := lookup(t, s, 2, "1", "missing", "2", "3", "4")
	want := sampleEvent("team/hooks", "1")
	want.Header, want.Body = nil, nil
	if got := infos[0]; got.Name != EventName("team/hooks", "1") || !reflect.DeepEqual(got.Event, want) || got.Delivered {
		t.Errorf("found %+v of %+v", got, got.Event)
	}
	deliveries := []DeliveryInfo{
		{"pending", Pending, Failure{}, leases[0].Until}, {"retrying", Retrying, failure, later},
		{"held", Held, Failure{}, clock.Now()}, {"dead", DeadLettered, failure, clock.Now()},
	}
	if got := infos[0].Deliveries; !reflect.DeepEqual(got, deliveries) {
		t.Errorf("the deliveries are\n%+v, want\n%+v", got, deliveries)
	}
	if got := infos[1]; !reflect.DeepEqual(got, EventInfo{Name: EventName("team/hooks", "2"), Delivered: true}) {
		t.Errorf("the delivered one is %+v", got)
	}
	lookup(t, s, 0)
	if _, err := s.Lookup(t.Context(), []string{"x"}); !errors.Is(err, ErrName) {
		t.Errorf("got %v, want ErrName", err)
	}
}

// Headers may be longer than what is read at first, and bodies are not read.
func TestLookupOfLongHeaders(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	for id, size := range map[string]int{"short": 10, "first": 8 << 10, "second": 32 << 10} {
		e := sampleEvent("team/hooks", id)
		e.Header.Set("X-Long", strings.Repeat("x", size))
		e.Body = make([]byte, 1<<20)
		_, _, err := s.Accept(t.Context(), e, testOptions)
		must(t, err)
	}
	for _, info := range lookup(t, s, 3, "first", "second", "short") {
		if info.Event.BodyBytes != 1<<20 || info.Event.Header != nil || len(info.Deliveries) != 1 {
			t.Errorf("found %+v", info)
		}
	}
	endless := sampleEvent("team/hooks", "endless")
	endless.Header.Set("X-Long", strings.Repeat("x", 200<<10)) // no receiver takes that
	_, _, err := s.Accept(t.Context(), endless, testOptions)
	must(t, err)
	lookup(t, s, 0, "endless")
}

func TestPayload(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	lease := owned(t, s, "1")
	name := EventName("team/hooks", "1")
	if got, err := s.Payload(t.Context(), name); err != nil || !reflect.DeepEqual(got, sampleEvent("team/hooks", "1")) {
		t.Errorf("got %+v, %v", got, err)
	}
	must(t, s.Delivered(t.Context(), lease))
	for _, gone := range []string{name, EventName("team/hooks", "2")} {
		if _, err := s.Payload(t.Context(), gone); !errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	}
	if _, err := s.Payload(t.Context(), "x"); !errors.Is(err, ErrName) {
		t.Errorf("got %v, want ErrName", err)
	}
	newer := owned(t, s, "3")
	must(t, s.client.SetRange(t.Context(), eventName(newer.ref), 1, "\x07").Err())
	if _, err := s.Payload(t.Context(), EventName("team/hooks", "3")); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want that it can't be read", err)
	}
}

func TestReadsWithoutRedis(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, newFakeClock())
	died(t, s, hooks.Endpoint, "1", nil)
	l := deadLetters(t, s, DeadQuery{}, 1)[0]
	server.Kill()
	name := EventName("team/hooks", "1")
	for doing, read := range map[string]func() error{
		"Lookup":             func() error { _, err := s.Lookup(t.Context(), []string{name}); return err },
		"Payload":            func() error { _, err := s.Payload(t.Context(), name); return err },
		"Usage":              func() error { _, err := s.Usage(t.Context(), []string{"team/hooks"}); return err },
		"Recount":            func() error { _, err := s.Recount(t.Context()); return err },
		"DeadLetters":        func() error { _, err := s.DeadLetters(t.Context(), DeadQuery{Endpoint: "team/hooks"}); return err },
		"DeadLetters by id":  func() error { _, err := s.DeadLetters(t.Context(), DeadQuery{IDs: []string{"1"}}); return err },
		"ExpiredDeadLetters": func() error { _, err := s.ExpiredDeadLetters(t.Context(), s.Now(), 1); return err },
		"Revive":             func() error { return s.Revive(t.Context(), l) },
		"Purge":              func() error { return s.Purge(t.Context(), l) },
	} {
		if err := read(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", doing, err)
		}
	}
}
