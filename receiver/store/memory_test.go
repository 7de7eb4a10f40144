package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

const mebi = 1 << 20

// What is done at which ratio: audit records end first, backlogs are bounded by what is
// free, and windows are shortened only by what is remembered.
func TestMeasures(t *testing.T) {
	const most = 512 * mebi
	for _, c := range []struct {
		memory Memory
		want   Measures
	}{
		{Memory{}, Measures{0, true, 0, 1}},
		{Memory{Used: most}, Measures{0, true, 0, 1}},
		{Memory{0, most, 1}, Measures{most / 4, true, most / 10, 1}},
		{Memory{most / 2, most, 1}, Measures{most / 4, true, most / 10, 1}},
		{Memory{most / 8 * 5, most, 1}, Measures{most / 8, true, most / 10, 1}},
		{Memory{most / 4 * 3, most, 1}, Measures{mebi, false, most / 10, 1}},
		{Memory{most / 10 * 8, most, 1}, Measures{mebi, false, most / 10, 1}},
		{Memory{most / 8 * 7, most, 1}, Measures{mebi, false, most / 10, 0.625}},
		{Memory{most, most, 1}, Measures{mebi, false, most / 10, 0.25}},
		{Memory{2 * most, most, 1}, Measures{mebi, false, most / 10, 0.25}},
		{Memory{most / 2, most, 3}, Measures{3 * most / 4, true, 3 * (most / 10), 1}},
	} {
		got := c.memory.Measures()
		if d := got.Window - c.want.Window; d > -1e-6 && d < 1e-6 {
			got.Window = c.want.Window
		}
		if d := got.JournalBytes - c.want.JournalBytes; d > -8 && d < 8 {
			got.JournalBytes = c.want.JournalBytes
		}
		if got != c.want {
			t.Errorf("with %+v: %+v, want %+v", c.memory, got, c.want)
		}
	}
}

// However many endpoints take all they can get, they leave the quarter of the memory
// that is for the others.
func TestGreedyEndpointsLeaveRoom(t *testing.T) {
	const most = 512 * mebi
	for _, n := range []int{1, 2, 3, 4, 10, 100} {
		has := make([]int64, n)
		used := int64(2 * mebi)
		for range 2000 {
			for i := range has {
				if bound := (Memory{used, most, 1}).Measures().EndpointBytes; has[i]+mebi/16 <= bound {
					has[i] += mebi / 16
					used += mebi / 16
				}
			}
		}
		// Each may have leastPart in any case.
		if limit := int64(eventsUpTo*most) + int64(n)*mebi; used > limit {
			t.Errorf("%d endpoints use %d MiB, want at most %d", n, used/mebi, limit/mebi)
		}
	}
}

func TestAMomentaryPeakIsNoMeasure(t *testing.T) {
	var m memory
	m.note(Memory{100, 1000, 1})
	m.note(Memory{900, 1000, 1}) // a large request on its way
	if !m.current().Journal {
		t.Error("a single reading ended the journal")
	}
	m.note(Memory{900, 1000, 1})
	if m.current().Journal {
		t.Error("two readings did not end the journal")
	}
	m.note(Memory{100, 1000, 1})
	if !m.current().Journal {
		t.Error("the journal does not go on")
	}
	m.note(Memory{900, 0, 1})
	if got := m.current(); got != (Memory{}).Measures() {
		t.Errorf("without maxmemory: %+v", got)
	}
}

func TestMeasureAsksRedis(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "64mb")
	s := openStore(t, server, nil)
	got, err := s.Measure(t.Context())
	if err != nil || got.Max != 64*mebi || got.Used <= 0 || got.Used > 16*mebi || got.Servers != 1 {
		t.Fatalf("Measure = %+v, %v", got, err)
	}
	if bound := s.Measures().EndpointBytes; bound != 16*mebi {
		t.Errorf("an endpoint may have %d bytes, want a quarter", bound)
	}
	server.Do("CONFIG SET maxmemory 32mb") // is noticed
	if _, err := s.Measure(t.Context()); err != nil || s.Measures().EndpointBytes != 8*mebi {
		t.Errorf("%+v, %v", s.Measures(), err)
	}
	server.Do("ACL SETUSER default -info")
	if _, err := s.Measure(t.Context()); !errors.Is(err, ErrMemoryUnknown) || s.Measures().EndpointBytes != 8*mebi {
		t.Errorf("where INFO is refused: %v, %+v", err, s.Measures())
	}
	server.Kill()
	if _, err := s.Measure(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}

func TestMeasureAsksEveryMaster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3, "--maxmemory", "64mb")
	s := openWith(t, Options{URL: nodes[0].URL() + "?cluster=true"})
	nodes[1].Do("CONFIG SET maxmemory 32mb") // the fullest by its ratio
	got, err := s.Measure(t.Context())
	if err != nil || got.Servers != 3 || got.Max != 32*mebi || s.Measures().EndpointBytes != 24*mebi {
		t.Errorf("Measure = %+v, %v, and an endpoint may have %d bytes", got, err, s.Measures().EndpointBytes)
	}
}

func TestNoRoomForAuditRecords(t *testing.T) {
	s := openWith(t, Options{URL: redistest.Start(t).URL(), Endpoints: func() int { return 100 }})
	entries := []JournalEntry{{"team/hooks", []byte(`{"n":1}`)}}
	traffic := map[string]TrafficDelta{"team/hooks": {Received: time.Now()}}
	s.memory.note(Memory{90, 100, 1})
	if err := s.AppendJournal(t.Context(), entries, traffic); !errors.Is(err, ErrNoRoom) || errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrNoRoom", err)
	}
	records, err := s.Journal(t.Context(), "team/hooks", 10)
	if err != nil || len(records) != 0 {
		t.Errorf("%d records are kept, %v", len(records), err)
	}
	times, err := s.Traffic(t.Context(), []string{"team/hooks"})
	if err != nil || times["team/hooks"].LastReceived.IsZero() {
		t.Errorf("the times are lost: %+v, %v", times, err)
	}
	s.memory.note(Memory{10, 100, 1})
	must(t, s.AppendJournal(t.Context(), entries, traffic))
}

// All endpoints together keep no more records than there is room for.
func TestEndpointsShareTheRoomForAuditRecords(t *testing.T) {
	endpoints := 1
	s := openWith(t, Options{URL: redistest.Start(t).URL(), Endpoints: func() int { return endpoints }})
	kept := func(n int, memory Memory, want int64) {
		t.Helper()
		endpoints = n
		s.memory.note(memory)
		s.memory.note(memory)
		if got := s.recordsKept(); got != want {
			t.Errorf("of %d endpoints, with %+v, %d records are kept, want %d", n, memory, got, want)
		}
	}
	const most = 1_000_000_000
	kept(10_000, Memory{}, DefaultJournalRecords)
	kept(10, Memory{1, most, 1}, DefaultJournalRecords)
	kept(1000, Memory{1, most, 1}, 100)
	kept(10_000, Memory{1, most, 1}, 10)
	kept(100_000, Memory{1, most, 1}, 10)
	kept(0, Memory{1, most, 1}, DefaultJournalRecords)
	kept(1, Memory{most, most, 1}, 0)

	kept(1000, Memory{1, most / 10, 1}, 10)
	var entries []JournalEntry
	for range 500 {
		entries = append(entries, JournalEntry{"team/hooks", fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("x", 700))})
	}
	must(t, s.AppendJournal(t.Context(), entries, nil))
	records, err := s.Journal(t.Context(), "team/hooks", 1000)
	if err != nil || len(records) < 10 || len(records) > 100 {
		t.Errorf("%d records are kept, %v", len(records), err)
	}
}

func TestWindowsAreShortenedForLackOfRoom(t *testing.T) {
	clock := newFakeClock()
	server := redistest.Start(t)
	s := openStore(t, server, clock)
	life := func(id string) time.Duration {
		t.Helper()
		e := sampleEvent("team/hooks", id)
		e.ReceivedAt = clock.Now()
		_, leases, err := s.Accept(t.Context(), e, testOptions)
		must(t, err)
		lease := leases[0]
		must(t, s.Delivered(t.Context(), lease))
		return markRest(t, s, lease.ref)
	}
	if got := life("1"); got < testWindow-time.Minute || got > testWindow+time.Second {
		t.Errorf("with room, an event is remembered for %s", got)
	}
	s.memory.note(Memory{100, 100, 1})
	accept(t, s, "1", testOptions, Duplicate) // what is remembered stays so
	if got := life("2"); got < testWindow/4-time.Minute || got > testWindow/4+time.Second {
		t.Errorf("without room, an event is remembered for %s", got)
	}
}
