package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// How much the journal asks of Redis, whatever happens.
const (
	// journalEvery is the time between two writes; each is one round trip.
	journalEvery = 200 * time.Millisecond
	// journalPerEndpoint bounds the records of one endpoint in one write to the newest,
	// so that a flood of events is no load on Redis.
	journalPerEndpoint = 64
	// journalQueue bounds the records of all endpoints in one write, and with them
	// the memory of the journal, to some 2 MB.
	journalQueue = 2048

	// strangersPerEndpoint and strangersQueue are the same bounds for requests that were
	// not found authentic: 10 a second of an endpoint, and 640 of all. They are no part of
	// the others, so that a flood of strangers costs no authentic record its place.
	strangersPerEndpoint = 2
	strangersQueue       = 128
	// strangersEndpoints bounds the endpoints of one write about which there is nothing
	// but strangers. The rest, up to journalQueue, is for those with authentic records.
	strangersEndpoints = journalQueue / 2
)

// JournalStore keeps records; *store.Store is one.
type JournalStore interface {
	AppendJournal(context.Context, []store.JournalEntry, map[string]store.TrafficDelta) error
}

// JournalOptions say how to keep a journal.
type JournalOptions struct {
	// Store keeps it.
	Store JournalStore
	// TrafficOnly keeps no records, only the times of the last traffic.
	TrafficOnly bool
	// Metrics count what is dropped.
	Metrics *Metrics
	// Logger gets a message when Redis begins to take nothing.
	Logger *slog.Logger
}

// Journal is a Sink that keeps the last records of each endpoint in Redis, for people
// to read, and the times of the last traffic. It is an excerpt of the audit log: records
// that are too many are left out. Requests that were not found authentic are kept in a
// journal beside it, and only some of them. One goroutine writes; Record waits for nothing.
type Journal struct {
	o      JournalOptions
	wake   chan struct{} // holds one token while records are pending
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	pending batch
}

// batch holds the records of one write.
type batch struct {
	endpoints map[string]*recent
	records   int // of all, but for those of strangers
	strangers int // records of strangers, of all
}

// recent is what is new of one endpoint: its last records, and the traffic of all records,
// also of those that there was no room for.
type recent struct {
	authentic, strangers ring
	traffic              store.TrafficDelta
}

// ring holds the last records.
type ring struct {
	records []Record
	oldest  int // index, once the ring is full
}

// put adds a record, in the place of the oldest where the ring has so many already.
func (g *ring) put(r *Record, most int) (replaced bool) {
	if len(g.records) < most {
		g.records = append(g.records, *r)
		return false
	}
	g.records[g.oldest] = *r
	g.oldest = (g.oldest + 1) % most
	return true
}

// appendTo appends the records as they are stored in a journal, the oldest first.
func (g *ring) appendTo(entries []store.JournalEntry, journal string) []store.JournalEntry {
	for i := range g.records {
		text, err := encodeRecord(&g.records[(g.oldest+i)%len(g.records)])
		if err != nil {
			continue // can't happen: every field has a form in JSON
		}
		entries = append(entries, store.JournalEntry{Endpoint: journal, Record: text})
	}
	return entries
}

// NewJournal returns a Journal that writes until Close.
func NewJournal(o JournalOptions) *Journal {
	j := &Journal{
		o: o, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		pending: newBatch(),
	}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	go j.run()
	return j
}

func newBatch() batch { return batch{endpoints: map[string]*recent{}} }

// Record implements Sink. Outcomes that belong to no endpoint are left to the log.
func (j *Journal) Record(r Record) {
	if r.Endpoint == "" {
		return
	}
	j.mu.Lock()
	dropped := reasonClosed
	first := false
	if !j.closed {
		first = len(j.pending.endpoints) == 0
		dropped = j.pending.add(&r, j.o.TrafficOnly)
	}
	j.mu.Unlock()
	if dropped != "" {
		j.o.Metrics.journalDropped[dropped].Inc()
	}
	if first {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
}

// add returns why a record was dropped, this one or an older one; "" if none was.
func (b *batch) add(r *Record, trafficOnly bool) (dropped string) {
	stranger := r.isOfStranger()
	e := b.endpoints[r.Endpoint]
	if e == nil {
		if len(b.endpoints) >= journalQueue || (stranger && len(b.endpoints) >= strangersEndpoints) {
			return whyDropped(stranger, reasonQueueFull)
		}
		e = &recent{}
		b.endpoints[r.Endpoint] = e
	}
	observe(&e.traffic, r)
	if trafficOnly {
		return ""
	}
	records, all, most, queue := &e.authentic, &b.records, journalPerEndpoint, journalQueue
	if stranger {
		records, all, most, queue = &e.strangers, &b.strangers, strangersPerEndpoint, strangersQueue
	}
	if *all >= queue { // which it stays until the write
		most = len(records.records)
	}
	switch {
	case most == 0:
		return whyDropped(stranger, reasonQueueFull)
	case records.put(r, most):
		return whyDropped(stranger, reasonFolded)
	}
	*all++
	return ""
}

// whyDropped counts what strangers sent apart: it is sampled, and nobody misses it.
func whyDropped(stranger bool, reason string) string {
	if stranger {
		return reasonUnauthentic
	}
	return reason
}

// observe adds a record to the traffic.
func observe(d *store.TrafficDelta, r *Record) {
	if r.Status == Delivered {
		d.Delivered = latest(d.Delivered, r.Time)
	}
	if !r.isOfRequest() {
		return
	}
	switch {
	case r.SignatureVerified:
		d.Authentic, d.RejectedInRow = true, 0
		if r.Status.acknowledges() {
			d.Received = latest(d.Received, r.ReceivedAt)
		}
	case isUnauthentic(r):
		d.Rejected = latest(d.Rejected, r.Time)
		d.RejectedInRow++
	}
}

// acknowledges reports whether an event was accepted, now or before.
func (s Status) acknowledges() bool {
	return s == Accepted || s == Duplicate || s == Ignored || s == Delivered
}

// isUnauthentic reports whether a request was verified and is not authentic. Requests
// that are refused earlier, for their path, method, source, rate or size, have no body
// that was read.
func isUnauthentic(r *Record) bool {
	return r.Status == Rejected && (r.BodyRead || r.BodySHA256 != "") && r.StatusCode != http.StatusTooManyRequests
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// run writes the pending records, a few times a second at most, until Close. No error
// ends it.
func (j *Journal) run() {
	defer close(j.done)
	failing := false
	for {
		stopping := false
		select {
		case <-j.stop:
			stopping = true
		case <-j.wake:
			select {
			case <-j.stop:
				stopping = true
			case <-time.After(journalEvery):
			}
		}
		failing = j.flush(failing)
		if stopping {
			return
		}
	}
}

// flush writes the pending records, and drops them if Redis doesn't take them, so that
// nothing grows while Redis is away.
func (j *Journal) flush(failing bool) bool {
	j.mu.Lock()
	b := j.pending
	j.pending = newBatch()
	j.mu.Unlock()
	if len(b.endpoints) == 0 {
		return failing
	}
	entries, traffic := b.encode()
	err := j.o.Store.AppendJournal(j.ctx, entries, traffic)
	if err == nil {
		return false
	}
	j.o.Metrics.journalDropped[reasonRedis].Add(float64(len(entries)))
	if !failing {
		j.o.Logger.Warn("redis does not take audit records for the journal; they are dropped until it does", "error", err)
	}
	return true
}

// encode returns a batch in the form in which it is stored.
func (b *batch) encode() ([]store.JournalEntry, map[string]store.TrafficDelta) {
	entries := make([]store.JournalEntry, 0, b.records+b.strangers)
	traffic := make(map[string]store.TrafficDelta, len(b.endpoints))
	for endpoint, e := range b.endpoints {
		if e.traffic != (store.TrafficDelta{}) {
			traffic[endpoint] = e.traffic
		}
		entries = e.authentic.appendTo(entries, endpoint)
		entries = e.strangers.appendTo(entries, store.Unauthentic(endpoint))
	}
	return entries, traffic
}

// encodeRecord writes a record in the same form as the log.
func encodeRecord(r *Record) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(r)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// Close writes the pending records and ends the writer. Records that come later are dropped
// and counted. The error says that ctx ended before Redis had all.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.once.Do(func() { close(j.stop) })
	defer j.cancel()
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the last audit records are not in the journal: %w", ctx.Err())
	}
}
