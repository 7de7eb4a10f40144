package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// testRecords is how many records journals of these tests keep.
const testRecords = 1000

func openRedis(tb testing.TB, server *redistest.Server) *store.Store {
	tb.Helper()
	s, err := store.Open(context.Background(), store.Options{URL: server.URL(), JournalRecords: testRecords})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func newTestJournal(s JournalStore) *Journal {
	return NewJournal(JournalOptions{Store: s, Metrics: newTestMetrics(), Logger: slog.New(slog.DiscardHandler)})
}

func closeJournal(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantDropped(t *testing.T, j *Journal, reason string, want int) {
	t.Helper()
	if got := testutil.ToFloat64(j.o.Metrics.journalDropped[reason]); got != float64(want) {
		t.Errorf("%v records were dropped as %s, want %d", got, reason, want)
	}
}

// held is a store that is told when to answer, and keeps what it was given.
type held struct {
	arrived, answer chan struct{}

	mu      sync.Mutex
	entries []store.JournalEntry
	traffic []map[string]store.TrafficDelta
	err     error
}

func newHeld() *held { return &held{arrived: make(chan struct{}, 100), answer: make(chan struct{})} }

func (h *held) AppendJournal(_ context.Context, entries []store.JournalEntry, traffic map[string]store.TrafficDelta) error {
	h.arrived <- struct{}{}
	<-h.answer
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	h.entries, h.traffic = append(h.entries, entries...), append(h.traffic, traffic)
	return nil
}

func TestTheJournalIsWhatTheLogSays(t *testing.T) {
	s := openRedis(t, redistest.Start(t))
	j := newTestJournal(s)
	sink := NewFanOut("receiver-1", time.Now, j)
	want := Record{
		Time: time.Unix(1780000000, 1000).UTC(), Endpoint: "team/hooks", EndpointUID: "uid", EventID: "evt_1", Status: Accepted, SignatureVerified: true,
		ErrorMessage: "<&>", Receiver: "receiver-1",
	}
	ends, err := s.JournalEnd(t.Context(), []string{"team/hooks"})
	if err != nil {
		t.Fatal(err)
	}
	sink.Record(want)
	sink.Record(Record{Status: Rejected, StatusCode: 404})
	found, err := s.FollowJournal(t.Context(), []string{"team/hooks"}, ends, 30*time.Second) // nobody closed the journal
	if err != nil || len(found["team/hooks"]) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	var got Record
	if err := json.Unmarshal(found["team/hooks"][0].Record, &got); err != nil {
		t.Fatal(err)
	}
	want.EndpointUID = ""
	if got != want {
		t.Errorf("the record is %+v, want %+v", got, want)
	}
	closeJournal(t, j)
}

func TestCloseWritesTheJournalToItsEnd(t *testing.T) {
	s := openRedis(t, redistest.Start(t))
	j := newTestJournal(s)
	for i := range 3 * journalPerEndpoint {
		j.Record(Record{Endpoint: fmt.Sprint("team/hooks-", i%3), EventID: fmt.Sprint(i), Status: Accepted, SignatureVerified: true})
	}
	closeJournal(t, j)
	for i := range 3 {
		got, err := s.Journal(t.Context(), fmt.Sprint("team/hooks-", i), 1000)
		if err != nil || len(got) != journalPerEndpoint {
			t.Fatalf("%d records are kept, %v, want %d", len(got), err, journalPerEndpoint)
		}
		for k := range got {
			var r Record
			if err := json.Unmarshal(got[k].Record, &r); err != nil || r.EventID != fmt.Sprint(3*k+i) {
				t.Fatalf("record %d is %s", k, got[k].Record)
			}
		}
	}
	j.Record(Record{Endpoint: "team/hooks-0"})
	wantDropped(t, j, reasonClosed, 1)
	closeJournal(t, j)
}

// A flood on one endpoint costs it its oldest records, and others nothing.
func TestAFloodIsFolded(t *testing.T) {
	h := newHeld()
	j := newTestJournal(h)
	const n = 10_000
	for i := range n {
		j.Record(Record{Endpoint: "team/flooded", EventID: fmt.Sprint(i), Status: Rejected, StatusCode: 400, SignatureVerified: true})
	}
	j.Record(Record{Endpoint: "team/quiet", EventID: "one", SignatureVerified: true})
	close(h.answer)
	closeJournal(t, j)
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := map[string][]string{}
	for _, e := range h.entries {
		var r Record
		if err := json.Unmarshal(e.Record, &r); err != nil {
			t.Fatal(err)
		}
		kept[e.Endpoint] = append(kept[e.Endpoint], r.EventID)
	}
	flooded := kept["team/flooded"]
	if last := flooded[len(flooded)-1]; last != fmt.Sprint(n-1) || len(flooded) > journalPerEndpoint*len(h.traffic) || len(kept["team/quiet"]) != 1 {
		t.Errorf("kept are %d records of the flood, the last of them %s, and %d others", len(flooded), last, len(kept["team/quiet"]))
	}
	wantDropped(t, j, reasonFolded, n-len(flooded))
}

// What nobody signed is sampled, in a journal of its own: however much comes, it takes the
// place of nothing authentic, neither in a write nor in Redis.
func TestStrangersPushNothingAuthenticOut(t *testing.T) {
	s := openRedis(t, redistest.Start(t))
	const flood = 5000
	stranger := func(i int) Record {
		r := Record{Endpoint: "team/hooks", EventID: fmt.Sprint(i), Status: Rejected, StatusCode: []int{401, 404, 405}[i%3], Time: time.Unix(1780000000, 0)}
		r.BodyRead = r.StatusCode == 401
		return r
	}
	strangers, refused := 0, int64(0)
	for write := range 2 {
		j := newTestJournal(s)
		j.Record(Record{Endpoint: "team/hooks", EventID: fmt.Sprint("evt_", write), Status: Accepted, SignatureVerified: true})
		for i := range flood {
			r := stranger(i)
			j.Record(r)
			if isUnauthentic(&r) {
				refused++
			}
		}
		for i := range 2 * journalQueue {
			j.Record(Record{Endpoint: fmt.Sprint("team/other-", i), Status: Rejected, StatusCode: 405})
		}
		j.Record(Record{Endpoint: fmt.Sprint("team/late-", write), EventID: "evt", Status: Accepted, SignatureVerified: true})
		closeJournal(t, j)
		wantDropped(t, j, reasonFolded, 0)
		wantDropped(t, j, reasonQueueFull, 0)
		kept, err := s.Journal(t.Context(), store.Unauthentic("team/hooks"), testRecords)
		if err != nil || len(kept) == 0 {
			t.Fatalf("%d requests of strangers are kept, %v", len(kept), err)
		}
		strangers = len(kept)
	}
	if strangers > flood/10 { // two at a time, some times a second
		t.Errorf("%d requests of strangers are kept", strangers)
	}
	for endpoint, want := range map[string]int{"team/hooks": 2, "team/late-0": 1, "team/late-1": 1} {
		got, err := s.Journal(t.Context(), endpoint, testRecords)
		if err != nil || len(got) != want {
			t.Errorf("%d authentic records of %s are kept, %v, want %d", len(got), endpoint, err, want)
		}
	}
	traffic, err := s.Traffic(t.Context(), []string{"team/hooks"})
	if got := traffic["team/hooks"].RejectedInRow; err != nil || got != refused/2 { // since the last that was authentic
		t.Errorf("%d requests were counted as rejected, %v, want %d", got, err, refused/2)
	}
}

// The records of strangers that are written are the newest, and so few that they are no load.
func TestStrangersAreSampled(t *testing.T) {
	h := newHeld()
	j := newTestJournal(h)
	j.Record(Record{Endpoint: "team/first", SignatureVerified: true})
	<-h.arrived // and is not answered: what comes now waits
	for i := range 100 {
		for e := range 2 * strangersQueue {
			j.Record(Record{Endpoint: fmt.Sprint("team/hooks-", e), EventID: fmt.Sprint(i), Status: Rejected})
		}
	}
	close(h.answer)
	closeJournal(t, j)
	kept := map[string]int{}
	for _, e := range h.entries[1:] {
		var r Record
		if err := json.Unmarshal(e.Record, &r); err != nil || r.EventID != "99" {
			t.Fatalf("kept is %s", e.Record)
		}
		kept[e.Endpoint]++
	}
	if len(h.entries) != 1+strangersQueue || kept[store.Unauthentic("team/hooks-0")] > strangersPerEndpoint {
		t.Errorf("%d records are kept, of endpoints %v", len(h.entries), kept)
	}
	wantDropped(t, j, reasonUnauthentic, 100*2*strangersQueue-strangersQueue)
}

func TestAFullJournalDropsAndCounts(t *testing.T) {
	h := newHeld()
	j := newTestJournal(h)
	j.Record(Record{Endpoint: "team/first", SignatureVerified: true})
	<-h.arrived // and is not answered: what comes now waits
	const extra = 10
	for i := range journalQueue + extra {
		j.Record(Record{Endpoint: fmt.Sprint("team/hooks-", i/2), SignatureVerified: true})
	}
	wantDropped(t, j, reasonQueueFull, extra)
	for i := range 2 * journalQueue {
		j.Record(Record{Endpoint: fmt.Sprint("team/others-", i), SignatureVerified: true})
	}
	j.mu.Lock()
	if endpoints := len(j.pending.endpoints); endpoints > journalQueue || j.pending.records > journalQueue {
		t.Errorf("%d records of %d endpoints wait, want at most %d", j.pending.records, endpoints, journalQueue)
	}
	j.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close says %v, want that it could not write everything", err)
	}
	close(h.answer)
	closeJournal(t, j)
	if len(h.entries) != 1+journalQueue {
		t.Errorf("%d records were written, want %d", len(h.entries), 1+journalQueue)
	}
}

func TestTrafficOnly(t *testing.T) {
	h := newHeld()
	close(h.answer)
	j := NewJournal(JournalOptions{Store: h, TrafficOnly: true, Metrics: newTestMetrics(), Logger: slog.New(slog.DiscardHandler)})
	at := time.Unix(1780000000, 0)
	j.Record(Record{Endpoint: "team/hooks", Status: Accepted, SignatureVerified: true, ReceivedAt: at, Time: at.Add(time.Second)})
	closeJournal(t, j)
	if len(h.entries) != 0 || len(h.traffic) != 1 || h.traffic[0]["team/hooks"] != (store.TrafficDelta{Received: at, Authentic: true}) {
		t.Errorf("written are %v and %v", h.entries, h.traffic)
	}
}

// Redis hangs, then is gone: whoever records is not held up, nothing is kept for
// later, and it goes on when Redis is back.
func TestARedisThatIsAwayCostsNothing(t *testing.T) {
	server := redistest.Start(t)
	s := openRedis(t, server)
	j := newTestJournal(s)
	if err := syscall.Kill(server.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	j.Record(Record{Endpoint: "team/hooks", EventID: "lost", SignatureVerified: true})
	dropped := j.o.Metrics.journalDropped[reasonRedis]
	lost := 1.0
	for range 2 {
		redistest.Await(t, 30*time.Second, "the record is dropped", func() error {
			j.Record(Record{Endpoint: "team/hooks", EventID: "lost, too", SignatureVerified: true})
			if got := testutil.ToFloat64(dropped); got < lost {
				return fmt.Errorf("%v are", got)
			}
			return nil
		})
		lost = testutil.ToFloat64(dropped) + 1
		server.Kill()
	}
	j.mu.Lock()
	if j.pending.records > journalPerEndpoint {
		t.Errorf("%d records wait", j.pending.records)
	}
	j.mu.Unlock()
	server.Restart()
	redistest.Await(t, 30*time.Second, "records are kept again", func() error {
		j.Record(Record{Endpoint: "team/hooks", EventID: "kept", SignatureVerified: true})
		if got, err := s.Journal(t.Context(), "team/hooks", 10); err != nil || len(got) == 0 {
			return fmt.Errorf("%d are, %w", len(got), err)
		}
		return nil
	})
	closeJournal(t, j)
}

func TestWhatARecordSaysOfTraffic(t *testing.T) {
	received, at := time.Unix(1780000000, 0), time.Unix(1780000003, 0)
	request := func(status Status, change func(*Record)) Record {
		r := Record{Endpoint: "a/b", Status: status, ReceivedAt: received, Time: at, StatusCode: 200, SignatureVerified: true, BodySHA256: "00"}
		if change != nil {
			change(&r)
		}
		return r
	}
	refused := func(code int, digest string) Record {
		return request(Rejected, func(r *Record) { r.StatusCode, r.SignatureVerified, r.BodySHA256 = code, false, digest })
	}
	attempt := func(r *Record) { r.Attempt = 1 }
	relayed := func(r *Record) { r.Attempt, r.Relayed = 1, true }
	for name, test := range map[string]struct {
		record Record
		want   store.TrafficDelta
	}{
		"accepted":                  {request(Accepted, nil), store.TrafficDelta{Received: received, Authentic: true}},
		"duplicate":                 {request(Duplicate, nil), store.TrafficDelta{Received: received, Authentic: true}},
		"ignored":                   {request(Ignored, nil), store.TrafficDelta{Received: received, Authentic: true}},
		"a signed handshake":        {request(Handshake, nil), store.TrafficDelta{Authentic: true}},
		"a handshake":               {request(Handshake, func(r *Record) { r.SignatureVerified = false }), store.TrafficDelta{}},
		"redis away":                {request(Unavailable, nil), store.TrafficDelta{Authentic: true}},
		"an authentic mess":         {request(Rejected, nil), store.TrafficDelta{Authentic: true}},
		"no key":                    {request(Unavailable, func(r *Record) { r.SignatureVerified = false }), store.TrafficDelta{}},
		"wrong signature":           {refused(401, "00"), store.TrafficDelta{Rejected: at, RejectedInRow: 1}},
		"missing signature":         {refused(400, "00"), store.TrafficDelta{Rejected: at, RejectedInRow: 1}},
		"too large":                 {refused(413, ""), store.TrafficDelta{}},
		"wrong method":              {refused(405, ""), store.TrafficDelta{}},
		"too many":                  {refused(429, "00"), store.TrafficDelta{}},
		"delivered":                 {request(Delivered, attempt), store.TrafficDelta{Delivered: at}},
		"failed":                    {request(RetryScheduled, attempt), store.TrafficDelta{}},
		"relayed":                   {request(Delivered, relayed), store.TrafficDelta{Received: received, Delivered: at, Authentic: true}},
		"relayed, without success":  {request(Unavailable, relayed), store.TrafficDelta{Authentic: true}},
		"replayed":                  {request(Replayed, nil), store.TrafficDelta{}},
		"purged":                    {request(Purged, nil), store.TrafficDelta{}},
		"replayed, known authentic": {request(DeadLettered, attempt), store.TrafficDelta{}},
	} {
		var got store.TrafficDelta
		observe(&got, &test.record)
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	var row store.TrafficDelta
	for _, r := range []Record{refused(401, "00"), refused(401, "00"), request(Accepted, nil), refused(401, "00")} {
		observe(&row, &r)
	}
	if row.RejectedInRow != 1 || !row.Authentic {
		t.Errorf("after a row that ended, one is %+v", row)
	}
}

// Record is on the path of every request. The records of one flush are allocated
// once per endpoint, in doubling steps; a folded record allocates nothing.
func BenchmarkJournal(b *testing.B) {
	for name, endpoints := range map[string]int{"one endpoint": 1, "1000 endpoints": 1000} {
		b.Run(name, func(b *testing.B) {
			j := newTestJournal(discard{})
			var records []Record
			for i := range endpoints {
				records = append(records, Record{Endpoint: fmt.Sprint("billing/stripe-", i), EventID: "evt_1", Status: Accepted, RequestID: "r", SignatureVerified: true, ReceivedAt: time.Now(), Time: time.Now()})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				j.Record(records[i%endpoints])
				i++
			}
			_ = j.Close(context.Background())
		})
	}
}

type discard struct{}

func (discard) AppendJournal(context.Context, []store.JournalEntry, map[string]store.TrafficDelta) error {
	return nil
}
