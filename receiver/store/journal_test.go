package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// note appends records with these texts.
func note(t *testing.T, s *Store, endpoint string, texts ...string) {
	t.Helper()
	var entries []JournalEntry
	for _, text := range texts {
		entries = append(entries, JournalEntry{Endpoint: endpoint, Record: []byte(text)})
	}
	must(t, s.AppendJournal(t.Context(), entries, nil))
}

func textsOf(records []JournalRecord) []string {
	var texts []string
	for _, r := range records {
		texts = append(texts, string(r.Record))
	}
	return texts
}

func wantTexts(t *testing.T, got []JournalRecord, want ...string) {
	t.Helper()
	if !slices.Equal(textsOf(got), want) {
		t.Fatalf("the records are %q, want %q", textsOf(got), want)
	}
}

// liveJournal takes a journal through all that can be asked of it.
func liveJournal(t *testing.T, s *Store) {
	t.Helper()
	endpoints := []string{"team/a", "team/b", "team/c", "other/a"}
	ends, err := s.JournalEnd(t.Context(), endpoints)
	must(t, err)
	for _, endpoint := range endpoints {
		note(t, s, endpoint, endpoint+" 1", endpoint+" 2")
		got, err := s.Journal(t.Context(), endpoint, 10)
		must(t, err)
		wantTexts(t, got, endpoint+" 1", endpoint+" 2")
	}
	for _, of := range [][]string{endpoints, endpoints[:1]} {
		found, err := s.FollowJournal(t.Context(), of, ends, time.Minute)
		if err != nil || len(found) != len(of) {
			t.Fatalf("found the records of %d endpoints, %v, want those of %d", len(found), err, len(of))
		}
		for _, endpoint := range of {
			wantTexts(t, found[endpoint], endpoint+" 1", endpoint+" 2")
		}
	}
	at := time.UnixMilli(1780000000000)
	must(t, s.AppendJournal(t.Context(), nil, map[string]TrafficDelta{"team/a": {Received: at, Authentic: true, RejectedInRow: 1}, "team/b": {RejectedInRow: 2}}))
	got, err := s.Traffic(t.Context(), endpoints)
	if want := (Traffic{LastReceived: at, RejectedInRow: 1}); err != nil || got["team/a"] != want || got["team/b"].RejectedInRow != 2 {
		t.Fatalf("the traffic is %+v, %v", got, err)
	}
}

func TestTheNewestRecordsComeOldestFirst(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	note(t, s, "team/hooks", "1", "2", "3", "4")
	note(t, s, "team/others", "5")
	for newest, want := range map[int][]string{0: nil, 2: {"3", "4"}, 9: {"1", "2", "3", "4"}} {
		got, err := s.Journal(t.Context(), "team/hooks", newest)
		must(t, err)
		wantTexts(t, got, want...)
	}
	got, err := s.Journal(t.Context(), "team/nothing", 10)
	must(t, err)
	wantTexts(t, got)
}

func TestAJournalIsTrimmedAndExpires(t *testing.T) {
	server := redistest.Start(t)
	s := openWith(t, Options{URL: server.URL(), JournalRecords: 300})
	const n = 2000
	for i := range n / 100 {
		var texts []string
		for k := range 100 {
			texts = append(texts, fmt.Sprint(100*i+k))
		}
		note(t, s, "team/hooks", texts...)
	}
	got, err := s.Journal(t.Context(), "team/hooks", n)
	must(t, err)
	// Redis trims by whole nodes of 100 entries.
	if len(got) < 300 || len(got) > 400 || string(got[len(got)-1].Record) != fmt.Sprint(n-1) {
		t.Errorf("%d records are kept, want 300 and at most a node more, the last of them %d", len(got), n-1)
	}
	must(t, s.AppendJournal(t.Context(), nil, map[string]TrafficDelta{"team/hooks": {Received: time.Now()}}))
	for key, want := range map[string]time.Duration{journalName("team/hooks"): journalLife, trafficName("team/hooks"): trafficLife} {
		if left := s.client.TTL(t.Context(), key).Val(); left > want || left < want-time.Minute {
			t.Errorf("%s expires in %s, want %s", key, left, want)
		}
	}
}

func TestFollowWakesAtOnce(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, nil)
	endpoints := []string{"team/a", "team/b"}
	note(t, s, "team/a", "old")
	ends, err := s.JournalEnd(t.Context(), endpoints)
	must(t, err)
	type reply struct {
		found map[string][]JournalRecord
		err   error
	}
	replies := make(chan reply, 1)
	follow := func() {
		found, err := s.FollowJournal(t.Context(), endpoints, ends, time.Hour)
		replies <- reply{found, err}
	}
	for _, text := range []string{"1", "2"} {
		go follow()
		redistest.Await(t, 10*time.Second, "the follower waits in redis", func() error {
			if n := server.Info("clients", "blocked_clients"); n != "1" {
				return errors.New(n + " do")
			}
			return nil
		})
		note(t, s, "team/b", text)
		got := <-replies
		must(t, got.err)
		if len(got.found) != 1 {
			t.Fatalf("found %v, want a record of one endpoint", got.found)
		}
		wantTexts(t, got.found["team/b"], text)
		ends["team/b"] = got.found["team/b"][0].ID
	}
}

func TestFollowReturnsNothingAfterItsTime(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	note(t, s, "team/hooks", "old")
	ends, err := s.JournalEnd(t.Context(), []string{"team/hooks"})
	must(t, err)
	for _, wait := range []time.Duration{0, 300 * time.Millisecond, followTurn + 300*time.Millisecond} {
		started := time.Now()
		found, err := s.FollowJournal(t.Context(), []string{"team/hooks"}, ends, wait)
		if took := time.Since(started); err != nil || len(found) > 0 || took < wait {
			t.Errorf("after %s of %s: %v, %v, want nothing", took, wait, found, err)
		}
	}
}

func TestFollowEndsWithItsCaller(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.FollowJournal(ctx, []string{"team/hooks"}, nil, time.Hour); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestFollowReadsABacklogInParts(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	const n = 2*followBatch + 10
	for i := range n {
		note(t, s, "team/hooks", fmt.Sprint(i))
	}
	after, read := map[string]string{}, 0
	for read < n {
		found, err := s.FollowJournal(t.Context(), []string{"team/hooks", "team/hooks"}, after, time.Minute)
		must(t, err)
		for _, r := range found["team/hooks"] {
			if string(r.Record) != fmt.Sprint(read) {
				t.Fatalf("record %d is %s", read, r.Record)
			}
			read++
			after["team/hooks"] = r.ID
		}
	}
}

func TestTooManyEndpointsAreNotFollowed(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	if _, err := s.FollowJournal(t.Context(), make([]string, maxFollowed+1), nil, 0); !errors.Is(err, ErrTooManyEndpoints) {
		t.Errorf("got %v, want ErrTooManyEndpoints", err)
	}
}

// More followers than connections are given to all learn of a record, and are in
// nobody's way.
func TestManyFollowersHoldUpNobody(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	const followers = 3 * maxFollowers
	var all sync.WaitGroup
	for range followers {
		all.Go(func() {
			found, err := s.FollowJournal(t.Context(), []string{"team/hooks"}, nil, time.Hour)
			if err != nil || len(found) != 1 {
				t.Errorf("found %v, %v", found, err)
			}
		})
	}
	redistest.Await(t, 10*time.Second, "as many as may wait in redis", func() error {
		if n := s.followers.Load(); n != maxFollowers {
			return fmt.Errorf("%d do", n)
		}
		return nil
	})
	for i := range 50 {
		must(t, s.Delivered(t.Context(), owned(t, s, fmt.Sprint(i))))
	}
	note(t, s, "team/hooks", "1")
	all.Wait()
	if n := s.followers.Load(); n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
}

func TestTimesOfTrafficMoveForward(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	early := time.UnixMilli(1780000000000)
	late := early.Add(time.Hour)
	for i, step := range []struct {
		delta TrafficDelta
		want  Traffic
	}{
		{TrafficDelta{}, Traffic{}},
		{TrafficDelta{Rejected: late, RejectedInRow: 3}, Traffic{LastRejected: late, RejectedInRow: 3}},
		{TrafficDelta{Received: late, Delivered: early}, Traffic{LastReceived: late, LastDelivered: early, LastRejected: late, RejectedInRow: 3}},
		{TrafficDelta{Received: early, Rejected: early, RejectedInRow: 2}, Traffic{LastReceived: late, LastDelivered: early, LastRejected: late, RejectedInRow: 5}},
		{TrafficDelta{Authentic: true, RejectedInRow: 1}, Traffic{LastReceived: late, LastDelivered: early, LastRejected: late, RejectedInRow: 1}},
		{TrafficDelta{Authentic: true, Delivered: late}, Traffic{LastReceived: late, LastDelivered: late, LastRejected: late}},
	} {
		must(t, s.AppendJournal(t.Context(), nil, map[string]TrafficDelta{"team/hooks": step.delta}))
		got, err := s.Traffic(t.Context(), []string{"team/hooks", "team/nothing"})
		if err != nil || got["team/hooks"] != step.want || got["team/nothing"] != (Traffic{}) {
			t.Errorf("step %d: %+v, %v, want %+v", i, got, err, step.want)
		}
	}
}

func TestManyEndpointsAreAskedAbout(t *testing.T) {
	s := openStore(t, redistest.Start(t), nil)
	var endpoints []string
	for i := range 2*readBatch + 1 {
		endpoints = append(endpoints, fmt.Sprint("team/hooks-", i))
	}
	note(t, s, endpoints[2*readBatch], "1")
	ends, err := s.JournalEnd(t.Context(), endpoints)
	if err != nil || len(ends) != len(endpoints) || ends[endpoints[0]] != journalStart || ends[endpoints[2*readBatch]] == journalStart {
		t.Errorf("%d ends, %v, want %d", len(ends), err, len(endpoints))
	}
}

func TestTheJournalOfARedisThatIsAway(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, nil)
	server.Kill()
	endpoints := []string{"team/hooks"}
	for name, call := range map[string]func() error{
		"AppendJournal": func() error { return s.AppendJournal(t.Context(), []JournalEntry{{Endpoint: "team/hooks"}}, nil) },
		"Journal":       func() error { _, err := s.Journal(t.Context(), "team/hooks", 1); return err },
		"JournalEnd":    func() error { _, err := s.JournalEnd(t.Context(), endpoints); return err },
		"Traffic":       func() error { _, err := s.Traffic(t.Context(), endpoints); return err },
		"FollowJournal": func() error { _, err := s.FollowJournal(t.Context(), endpoints, nil, time.Hour); return err },
	} {
		started := time.Now()
		if err := call(); !errors.Is(err, ErrUnavailable) || time.Since(started) > bound {
			t.Errorf("%s: got %v after %s, want ErrUnavailable", name, err, time.Since(started))
		}
	}
	server.Restart()
	note(t, s, "team/hooks", "1")
}

func TestTheDocumentedUserMayUseTheJournal(t *testing.T) {
	server := redistest.Start(t, aclArgs(documentedUser(t, "redis"))...)
	liveJournal(t, openWith(t, Options{URL: "redis://sallyport:" + aclPassword + "@" + server.Addr}))
	wantNothingRefused(t, server)
}

// Records of several endpoints are in several slots, which no command can wait for.
func TestTheJournalInACluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3, clusterArgs(t)...)
	s := openWith(t, Options{URL: clusterURL(nodes)})
	liveJournal(t, s)
	var endpoints []string
	for i := range 100 {
		endpoints = append(endpoints, fmt.Sprint("busy/hooks-", i))
	}
	found := make(chan map[string][]JournalRecord, 1)
	go func() {
		records, err := s.FollowJournal(t.Context(), endpoints, nil, time.Minute)
		if err != nil {
			t.Error(err)
		}
		found <- records
	}()
	note(t, s, endpoints[70], "1")
	wantTexts(t, (<-found)[endpoints[70]], "1")
	if n := s.followers.Load(); n != 0 {
		t.Errorf("%d connections are held for what nobody can wait for", n)
	}
	for _, node := range nodes {
		wantNothingRefused(t, node)
	}
}

// What one flush of a busy receiver costs: 2048 records of 32 endpoints.
func BenchmarkAppendJournal(b *testing.B) {
	s := openStore(b, redistest.Start(b), nil)
	record := []byte(strings.Repeat("x", 700))
	var entries []JournalEntry
	traffic := map[string]TrafficDelta{}
	for i := range 32 {
		endpoint := fmt.Sprint("team/hooks-", i)
		traffic[endpoint] = TrafficDelta{Received: time.Now(), Delivered: time.Now(), Authentic: true}
		for range 64 {
			entries = append(entries, JournalEntry{endpoint, record})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.AppendJournal(context.Background(), entries, traffic); err != nil {
			b.Fatal(err)
		}
	}
	used, err := s.client.MemoryUsage(context.Background(), journalName("team/hooks-1"), 0).Result()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(used), "redis-bytes/journal")
}
