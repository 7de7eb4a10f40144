package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

func zAt(score float64, member string) redis.Z { return redis.Z{Score: score, Member: member} }

// died stores an event, with a change, and gives its delivery up.
func died(t *testing.T, s *Store, endpoint, id string, change func(*Event)) {
	t.Helper()
	e := sampleEvent(endpoint, id)
	if change != nil {
		change(e)
	}
	_, leases, err := s.Accept(t.Context(), e, testOptions)
	must(t, err)
	must(t, s.DeadLetter(t.Context(), leases[0], Failure{Attempts: 2, Error: "answered 500"}))
}

// deadLetters reads all pages of a query about team/hooks, and wants so many.
func deadLetters(t *testing.T, s *Store, q DeadQuery, want int) []DeadLetter {
	t.Helper()
	q.Endpoint = hooks.Endpoint
	var all []DeadLetter
	for range 10_000 {
		page, err := s.DeadLetters(t.Context(), q)
		must(t, err)
		if q.Limit > 0 && len(page.Letters) > q.Limit && q.IDs == nil {
			t.Fatalf("a page of %d, want at most %d", len(page.Letters), q.Limit)
		}
		all = append(all, page.Letters...)
		if q.Continue = page.Continue; q.Continue == "" {
			break
		}
	}
	seen := map[string]bool{}
	for _, l := range all {
		if seen[l.member()] {
			t.Fatalf("%s was found twice", l.Event.ID)
		}
		seen[l.member()] = true
	}
	if len(all) != want {
		t.Fatalf("found %d dead letters, want %d", len(all), want)
	}
	return all
}

// TestDeadBatchesAreFound: the type of a batch is the text of its elements' types,
// and one that is cut can be of any type.
func TestDeadBatchesAreFound(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	for id, kind := range map[string]string{"batch": "bounce,open", "one": "open", "cut": "click,…", "other": "opened"} {
		died(t, s, hooks.Endpoint, id, func(e *Event) { e.Type = kind })
	}
	for pattern, want := range map[string][]string{
		"open": {"batch", "cut", "one"}, "bounce": {"batch", "cut"}, "bounce,open": {"batch", "cut"}, "spam": {"cut"}, "*": {"batch", "cut", "one", "other"},
	} {
		var got []string
		for _, l := range deadLetters(t, s, DeadQuery{Types: []string{pattern}}, len(want)) {
			got = append(got, l.Event.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("of the type %s there are %q, want %q", pattern, got, want)
		}
	}
}

func TestDeadLettersAreFound(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	began := clock.Now()
	const n = 40
	for i := range n {
		clock.Advance(time.Second)
		died(t, s, hooks.Endpoint, fmt.Sprint(i), func(e *Event) {
			e.ReceivedAt, e.Type = clock.Now().Add(-time.Hour), []string{"invoice.paid", "push"}[i%2]
		})
		died(t, s, "team/others", fmt.Sprint(i), nil)
	}
	l := deadLetters(t, s, DeadQuery{IDs: []string{"7"}}, 1)[0]
	want := sampleEvent(hooks.Endpoint, "7")
	want.ReceivedAt, want.Type, want.Header, want.Body = began.Add(8*time.Second-time.Hour).UTC(), "push", nil, nil
	if !reflect.DeepEqual(l.Event, want) || l.Name != EventName(hooks.Endpoint, "7") || l.Target != "" ||
		!l.DeadLetteredTime.Equal(began.Add(8*time.Second)) || l.Failure.Attempts != 2 || l.Failure.Error != "answered 500" {
		t.Errorf("found %+v of %+v", l, l.Event)
	}
	for name, test := range map[string]struct {
		q    DeadQuery
		want int
	}{
		"all":                {DeadQuery{}, n},
		"in pages":           {DeadQuery{Limit: 7}, n},
		"one by one":         {DeadQuery{Limit: 1}, n},
		"given up before":    {DeadQuery{GivenUpBefore: began.Add(10 * time.Second)}, 10},
		"before, in pages":   {DeadQuery{GivenUpBefore: began.Add(10*time.Second + time.Millisecond), Limit: 3}, 10},
		"received since":     {DeadQuery{Since: began.Add(11*time.Second - time.Hour)}, n - 10},
		"received until":     {DeadQuery{Until: began.Add(11*time.Second - time.Hour), Limit: 2}, 10},
		"types":              {DeadQuery{Types: []string{"x", "invoice.*"}, Limit: 3}, n / 2},
		"ids":                {DeadQuery{IDs: []string{"1", "2", "1", "missing", "39"}}, 3},
		"ids, in pages":      {DeadQuery{IDs: []string{"1", "2", "3", "missing", "39"}, Limit: 2}, 4},
		"ids and types":      {DeadQuery{IDs: []string{"1", "2", "3"}, Types: []string{"push"}}, 2},
		"ids and given up":   {DeadQuery{IDs: []string{"1", "30"}, GivenUpBefore: began.Add(10 * time.Second)}, 1},
		"no ids":             {DeadQuery{IDs: []string{}}, 0},
		"nothing so old":     {DeadQuery{GivenUpBefore: began}, 0},
		"of no type":         {DeadQuery{Types: []string{"nothing"}}, 0},
		"received in future": {DeadQuery{Since: began.Add(time.Hour), Limit: 1}, 0},
	} {
		t.Run(name, func(t *testing.T) { deadLetters(t, s, test.q, test.want) })
	}
	for _, q := range []DeadQuery{{Continue: "?"}, {Continue: "MQ"}, {Continue: position{partition: 64}.String()}, {Continue: "LTEgMCA"}} {
		if _, err := s.DeadLetters(t.Context(), q); !errors.Is(err, ErrContinue) {
			t.Errorf("to continue at %q: got %v, want ErrContinue", q.Continue, err)
		}
	}
	if _, err := s.DeadLetters(t.Context(), DeadQuery{Types: []string{""}}); err == nil {
		t.Error("an empty pattern was taken")
	}
}

// Many are given up in one millisecond and in one partition: their order is that of
// their names, and pages go on where the last ended, whatever was removed meanwhile.
func TestPagesOfOneMillisecond(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	const n = 50
	for _, id := range ofPartition(hooks.Endpoint, 21, n) {
		died(t, s, hooks.Endpoint, id, nil)
	}
	deadLetters(t, s, DeadQuery{Limit: 1}, n)
	deadLetters(t, s, DeadQuery{Limit: 7}, n)
	q := DeadQuery{Endpoint: hooks.Endpoint, Limit: 7}
	found := 0
	for {
		page, err := s.DeadLetters(t.Context(), q)
		must(t, err)
		for _, l := range page.Letters {
			must(t, s.Purge(t.Context(), l))
			found++
		}
		if q.Continue = page.Continue; q.Continue == "" {
			break
		}
	}
	if found != n {
		t.Errorf("%d were purged on the way, want %d", found, n)
	}
	deadLetters(t, s, DeadQuery{}, 0)
}

func TestDeadLettersOfOneEventStayTogether(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := testOptions
	o.Targets = []string{"a", "b", "c"}
	for _, id := range []string{"1", "2"} {
		for _, l := range accept(t, s, id, o, Accepted) {
			must(t, s.DeadLetter(t.Context(), l, Failure{}))
		}
	}
	q := DeadQuery{Endpoint: hooks.Endpoint, IDs: []string{"1", "2"}, Limit: 2}
	page, err := s.DeadLetters(t.Context(), q)
	if err != nil || len(page.Letters) != 3 || page.Continue == "" {
		t.Fatalf("a page of %d, %q, %v, want the three of the first event", len(page.Letters), page.Continue, err)
	}
	deadLetters(t, s, q, 6)
	deadLetters(t, s, DeadQuery{Limit: 2}, 6)
}

func TestRevive(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	died(t, s, hooks.Endpoint, "1", nil)
	clock.Advance(time.Hour)
	l := deadLetters(t, s, DeadQuery{}, 1)[0]
	must(t, s.Revive(t.Context(), l))
	wantFenced(t, s.Revive(t.Context(), l)) // a second one, even in the same millisecond
	wantStats(t, s, 1, 0, 0)
	wantUsage(t, s, Usage{"team/hooks", 1, 1, 0, storedSize("1")})
	deadLetters(t, s, DeadQuery{}, 0)
	accept(t, s, "1", testOptions, Duplicate)
	claim(t, s, 0)
	refillWith(t, s, RefillOptions{Max: 1, MaxBytes: 1, Lease: testLease, Before: clock.Now().Add(-time.Millisecond)}, 0)
	clock.Advance(time.Second)
	d := refill(t, s, 1)[0]
	if d.Failure.Attempts != 0 || !d.Failure.Since.Equal(clock.Now().Add(-time.Second)) || len(d.Event.Body) != 2048 {
		t.Errorf("revived with %+v", d.Failure)
	}
	must(t, s.DeadLetter(t.Context(), d.Lease, Failure{Attempts: 1}))
	for name, err := range map[string]error{"Revive": s.Revive(t.Context(), l), "Purge": s.Purge(t.Context(), l)} {
		if !errors.Is(err, ErrFenced) {
			t.Errorf("%s of one that was given up anew: got %v, want ErrFenced", name, err)
		}
	}
	wantStats(t, s, 0, 0, 1)
}

func TestPurge(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	died(t, s, hooks.Endpoint, "1", nil)
	l := deadLetters(t, s, DeadQuery{}, 1)[0]
	must(t, s.Purge(t.Context(), l))
	if err := s.Purge(t.Context(), l); !errors.Is(err, ErrFenced) {
		t.Errorf("a second one purges it, too: %v", err)
	}
	if err := s.Revive(t.Context(), l); !errors.Is(err, ErrFenced) {
		t.Errorf("Revive: got %v, want ErrFenced", err)
	}
	wantUsage(t, s, Usage{Endpoint: "team/hooks"})
	if keys := s.client.Keys(t.Context(), "*").Val(); len(keys) != 1 || !strings.Contains(keys[0], "}:purged:") {
		t.Errorf("left are %q, want the note alone", keys)
	}
	if ttl := s.client.PTTL(t.Context(), purgedName(l)).Val(); ttl <= 0 || ttl > purgedLife {
		t.Errorf("the note is there for %s", ttl)
	}
	accept(t, s, "1", testOptions, Accepted) // a copy is a new event
	if err := s.Purge(t.Context(), l); !errors.Is(err, ErrFenced) {
		t.Errorf("of the copy: got %v, want ErrFenced", err)
	}
	wantStats(t, s, 1, 0, 0)
}

// The payload stays while another delivery needs it.
func TestPurgeOfOneOfSeveral(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := testOptions
	o.Targets = []string{"dead", "leased", "held", "dead too"}
	leases := accept(t, s, "1", o, Accepted)
	must(t, s.DeadLetter(t.Context(), leases[0], Failure{}))
	must(t, s.Hold(t.Context(), leases[2], hooks.Endpoint, clock.Now()))
	must(t, s.DeadLetter(t.Context(), leases[3], Failure{}))
	size := storedSize("1", o.Targets...)
	letters := deadLetters(t, s, DeadQuery{}, 2)
	must(t, s.Purge(t.Context(), letters[0]))
	wantUsage(t, s, Usage{"team/hooks", 2, 1, 1, size})
	must(t, s.Purge(t.Context(), letters[1]))
	wantUsage(t, s, Usage{"team/hooks", 2, 1, 0, size})
	accept(t, s, "1", o, Duplicate)
	must(t, s.Delivered(t.Context(), leases[1]))
	must(t, s.Delivered(t.Context(), refill(t, s, 1)[0].Lease))
	wantUsage(t, s, Usage{Endpoint: "team/hooks"})
	accept(t, s, "1", o, Duplicate) // the targets that were left had it
}

// Somebody deleted the event by hand, or all of it.
func TestDeadLettersThatWereDeleted(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	for _, id := range []string{"listed", "revived", "purged", "expired"} {
		died(t, s, hooks.Endpoint, id, nil)
		l := deadLetters(t, s, DeadQuery{}, 1)[0]
		must(t, s.client.Del(t.Context(), eventName(l.ref)).Err())
		switch id {
		case "revived":
			wantFenced(t, s.Revive(t.Context(), l))
		case "purged":
			wantFenced(t, s.Purge(t.Context(), l))
		case "expired":
			if expired, err := s.ExpiredDeadLetters(t.Context(), clock.Now(), 10); err != nil || len(expired) > 0 {
				t.Fatalf("found %+v, %v", expired, err)
			}
		}
		deadLetters(t, s, DeadQuery{}, 0)
		wantStats(t, s, 0, 0, 0)
		mended(t, s, 1)
		if keys := s.client.Keys(t.Context(), "*").Val(); len(keys) > 0 {
			t.Errorf("%s: left are %q", id, keys)
		}
	}
	// It was deleted and came again, before anybody noticed.
	died(t, s, hooks.Endpoint, "again", nil)
	l := deadLetters(t, s, DeadQuery{}, 1)[0]
	must(t, s.client.Del(t.Context(), eventName(l.ref)).Err())
	lease := owned(t, s, "again")
	must(t, s.Purge(t.Context(), l))
	must(t, s.Delivered(t.Context(), lease))
	wantStats(t, s, 0, 0, 0)
	accept(t, s, "again", testOptions, Duplicate)
}

func TestUnreadableDeadLettersAreCounted(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	died(t, s, hooks.Endpoint, "1", nil)
	died(t, s, hooks.Endpoint, "2", nil)
	must(t, s.client.SetRange(t.Context(), eventName(eventRef(hooks.Endpoint, "1")), 1, "\x07").Err())
	page, err := s.DeadLetters(t.Context(), DeadQuery{Endpoint: hooks.Endpoint})
	if err != nil || page.Unreadable != 1 || len(page.Letters) != 1 {
		t.Errorf("found %+v, %v, want one and one that is unreadable", page, err)
	}
	expired, err := s.ExpiredDeadLetters(t.Context(), s.Now(), 10)
	if err != nil || len(expired) != 1 || expired[0].Event.ID != "2" {
		t.Errorf("found %+v, %v, want the readable one", expired, err)
	}
}

func TestExpiredDeadLetters(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	var want []string
	for i := range 30 {
		clock.Advance(time.Second)
		want = append(want, fmt.Sprint(i))
		died(t, s, fmt.Sprint("team/", i%3), want[i], nil)
	}
	ids := func(before time.Time, most int) (found []string) {
		letters, err := s.ExpiredDeadLetters(t.Context(), before, most)
		must(t, err)
		for _, l := range letters {
			found = append(found, l.Event.ID)
		}
		return found
	}
	cut := clock.Now().Add(-10 * time.Second)
	if got := ids(cut, 100); !slices.Equal(got, want[:20]) {
		t.Errorf("found %q, want the oldest 20", got)
	}
	if got := ids(cut, 5); !slices.Equal(got, want[:5]) {
		t.Errorf("found %q, want the oldest 5", got)
	}
	if got := ids(cut, 0); len(got) > 0 {
		t.Errorf("found %q, want none", got)
	}
}

func TestLostRepliesAboutDeadLetters(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	clock := newFakeClock()
	s := openWith(t, Options{URL: "redis://" + proxy.Addr, Clock: clock.Now})
	died(t, s, hooks.Endpoint, "1", nil)
	l := deadLetters(t, s, DeadQuery{}, 1)[0]
	proxy.LoseReplies(1)
	must(t, s.Revive(t.Context(), l))
	must(t, s.DeadLetter(t.Context(), refill(t, s, 1)[0].Lease, Failure{Attempts: 1}))
	l = deadLetters(t, s, DeadQuery{}, 1)[0]
	proxy.LoseReplies(1)
	must(t, s.Purge(t.Context(), l))
	if !proxy.Lost() {
		t.Error("the last reply was not lost: the test tests nothing")
	}
	wantUsage(t, s, Usage{Endpoint: "team/hooks"})
	wantStats(t, s, 0, 0, 0)
}

// To purge dead letters makes room in a Redis that is full, and to revive them does
// by way of their targets.
func TestAFullRedisLetsDeadLettersGo(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	died(t, s, hooks.Endpoint, "1", nil)
	died(t, s, hooks.Endpoint, "2", nil)
	letters := deadLetters(t, s, DeadQuery{}, 2)
	must(t, s.client.HDel(t.Context(), usageName[letters[0].ref.partition()], hooks.Endpoint).Err())
	must(t, s.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	if _, _, err := s.Accept(t.Context(), sampleEvent("a/b", "1"), testOptions); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	mended(t, s, 1)
	must(t, s.Revive(t.Context(), letters[0]))
	must(t, s.Delivered(t.Context(), refill(t, s, 1)[0].Lease))
	must(t, s.Purge(t.Context(), letters[1]))
	wantUsage(t, s, Usage{Endpoint: "team/hooks"})
}
