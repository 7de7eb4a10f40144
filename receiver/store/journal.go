package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// DefaultJournalRecords is how many records are kept of each endpoint.
	DefaultJournalRecords = 1000

	// journalLife and trafficLife are for how long an endpoint's are kept after the
	// last that was noted.
	journalLife = 7 * 24 * time.Hour
	trafficLife = 90 * 24 * time.Hour

	// unauthenticShare is the part of journalRecords that a journal of requests that were
	// not authentic keeps.
	unauthenticShare = 5
	// unauthenticSuffix is in the name of no endpoint.
	unauthenticSuffix = "!unauthentic"

	// readBatch bounds the endpoints that one round trip asks about.
	readBatch = 512
)

const (
	// journalField of a stream's entry holds the record.
	journalField = "r"
	// journalStart is the id before all others.
	journalStart = "0-0"
)

// Members of the sorted set that holds an endpoint's times, in ms, and the length
// of a row.
const (
	trafficReceived  = "received"
	trafficDelivered = "delivered"
	trafficRejected  = "rejected"
	trafficRow       = "rejectedInRow"
)

// Unauthentic names the second journal of an endpoint, for requests that were not found
// authentic. It is one of its own and shorter, so that strangers, who can send any number
// of them, push nobody's records out. Wherever this package asks for the journal of an
// endpoint, this name can stand in the place of the endpoint's.
func Unauthentic(endpoint string) string { return endpoint + unauthenticSuffix }

// EndpointOfJournal is the endpoint whose journal, the first or the second, has this name.
func EndpointOfJournal(journal string) string { return strings.TrimSuffix(journal, unauthenticSuffix) }

// journalLength is how many records a journal keeps, where an endpoint keeps so many.
func journalLength(journal string, records int64) int64 {
	if strings.HasSuffix(journal, unauthenticSuffix) {
		return max(records/unauthenticShare, 1)
	}
	return records
}

// JournalEntry is a record to keep.
type JournalEntry struct {
	// Endpoint is "namespace/name", or what Unauthentic makes of it.
	Endpoint string
	// Record is the JSON of an audit record.
	Record []byte
}

// JournalRecord is a record that is kept.
type JournalRecord struct {
	// ID is its place in the order of its endpoint's records: "ms-number".
	ID string
	// Record is the JSON of an audit record.
	Record []byte
}

// TrafficDelta is what is new of an endpoint. Zero times say nothing.
type TrafficDelta struct {
	// Received, Delivered and Rejected move the times of Traffic forward.
	Received, Delivered, Rejected time.Time
	// Authentic says that a request was authentic, which ends a row of rejected ones.
	Authentic bool
	// RejectedInRow counts the requests that were not, since the last that was.
	RejectedInRow int64
}

// Traffic is when something last came and went. A zero time is not known: it never
// did, or too long ago.
type Traffic struct {
	// LastReceived is when the last request came that was authentic and answered 2xx.
	LastReceived time.Time
	// LastDelivered is when a target last took an event.
	LastDelivered time.Time
	// LastRejected is when a request was last refused as not authentic, and
	// RejectedInRow how many were since the last one that was authentic.
	LastRejected  time.Time
	RejectedInRow int64
}

// AppendJournal keeps records and times, all in one round trip. The order of an
// endpoint's entries is kept. It is no part of any promise: nothing waits for
// replicas, and if a reply is lost, what is sent again is there twice. With ErrPartly,
// the entries of some servers are lost. ErrNoRoom: the times are kept and the records
// are not.
func (s *Store) AppendJournal(ctx context.Context, entries []JournalEntry, traffic map[string]TrafficDelta) error {
	if len(entries) == 0 && len(traffic) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	records := s.recordsKept()
	refused := records == 0 && len(entries) > 0
	if refused {
		entries = nil
	}
	var all [partitions][]func(redis.Pipeliner)
	var set partitionSet
	add := func(endpoint string, write func(redis.Pipeliner)) {
		p := endpointPartition(endpoint)
		set[p], all[p] = true, append(all[p], write)
	}
	written := map[string]bool{}
	for _, e := range entries {
		written[e.Endpoint] = true
		add(e.Endpoint, func(pipe redis.Pipeliner) {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: journalName(e.Endpoint), MaxLen: journalLength(e.Endpoint, records), Approx: true, Values: []any{journalField, e.Record}})
		})
	}
	for endpoint := range written {
		add(endpoint, func(pipe redis.Pipeliner) { pipe.Expire(ctx, journalName(endpoint), journalLife) })
	}
	for endpoint, delta := range traffic {
		add(endpoint, func(pipe redis.Pipeliner) { delta.write(ctx, pipe, trafficName(endpoint)) })
	}
	_, err := s.ask(ctx, set, func(pipe redis.Pipeliner, p int) {
		for _, write := range all[p] {
			write(pipe)
		}
	})
	if err == nil && refused {
		err = ErrNoRoom
	}
	return classify("keep audit records", err)
}

const (
	// recordBytes is about what a record takes of Redis's memory.
	recordBytes = 1000
	// leastRecords of each endpoint are kept while any are.
	leastRecords = 10
)

// recordsKept is how many records of each endpoint may be kept now; 0: none. The endpoints
// share what Measures allow for all.
func (s *Store) recordsKept() int64 {
	allowed := s.memory.current()
	switch {
	case !allowed.Journal:
		return 0
	case allowed.JournalBytes == 0 || s.endpoints == nil:
		return s.journalRecords
	}
	share := allowed.JournalBytes / recordBytes / int64(max(s.endpoints(), 1))
	return min(s.journalRecords, max(share, leastRecords))
}

// write moves times forward only: several receivers write.
func (d TrafficDelta) write(ctx context.Context, pipe redis.Pipeliner, name string) {
	var times []redis.Z
	for member, at := range map[string]time.Time{trafficReceived: d.Received, trafficDelivered: d.Delivered, trafficRejected: d.Rejected} {
		if !at.IsZero() {
			times = append(times, redis.Z{Member: member, Score: float64(at.UnixMilli())})
		}
	}
	if len(times) > 0 {
		pipe.ZAddGT(ctx, name, times...)
	}
	switch {
	case d.Authentic:
		pipe.ZAdd(ctx, name, redis.Z{Member: trafficRow, Score: float64(d.RejectedInRow)})
	case d.RejectedInRow > 0:
		pipe.ZIncrBy(ctx, name, float64(d.RejectedInRow), trafficRow)
	}
	pipe.Expire(ctx, name, trafficLife)
}

// Traffic returns when something last came and went, of each endpoint.
func (s *Store) Traffic(ctx context.Context, endpoints []string) (map[string]Traffic, error) {
	found := make(map[string]Traffic, len(endpoints))
	err := s.readEach(ctx, endpoints, func(ctx context.Context, pipe redis.Pipeliner, endpoint string) func() {
		reply := pipe.ZRangeWithScores(ctx, trafficName(endpoint), 0, -1)
		return func() { found[endpoint] = trafficOf(reply.Val()) }
	})
	return found, classify("read when events came and went", err)
}

func trafficOf(members []redis.Z) (t Traffic) {
	for _, m := range members {
		at := time.UnixMilli(int64(m.Score))
		switch m.Member {
		case trafficReceived:
			t.LastReceived = at
		case trafficDelivered:
			t.LastDelivered = at
		case trafficRejected:
			t.LastRejected = at
		case trafficRow:
			t.RejectedInRow = int64(m.Score)
		}
	}
	return t
}

// Journal returns the newest records of an endpoint, at most so many, the oldest
// first.
func (s *Store) Journal(ctx context.Context, endpoint string, newest int) ([]JournalRecord, error) {
	if newest <= 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	messages, err := s.client.XRevRangeN(ctx, journalName(endpoint), "+", "-", int64(newest)).Result()
	if err != nil {
		return nil, classify("read audit records", err)
	}
	slices.Reverse(messages)
	return recordsOf(messages), nil
}

// JournalEnd returns the ids of the newest records, for FollowJournal to begin
// after them.
func (s *Store) JournalEnd(ctx context.Context, endpoints []string) (map[string]string, error) {
	ends := make(map[string]string, len(endpoints))
	err := s.readEach(ctx, endpoints, func(ctx context.Context, pipe redis.Pipeliner, endpoint string) func() {
		reply := pipe.XRevRangeN(ctx, journalName(endpoint), "+", "-", 1)
		return func() {
			ends[endpoint] = journalStart
			if last := reply.Val(); len(last) > 0 {
				ends[endpoint] = last[0].ID
			}
		}
	})
	return ends, classify("find the end of audit records", err)
}

// readEach asks about each endpoint, many in one round trip. ask returns what takes
// over the reply.
func (s *Store) readEach(ctx context.Context, endpoints []string, ask func(context.Context, redis.Pipeliner, string) func()) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for batch := range slices.Chunk(endpoints, readBatch) {
		take := make([]func(), 0, len(batch))
		if _, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, endpoint := range batch {
				take = append(take, ask(ctx, pipe, endpoint))
			}
			return nil
		}); err != nil {
			return err
		}
		for _, f := range take {
			f()
		}
	}
	return nil
}

func recordsOf(messages []redis.XMessage) []JournalRecord {
	records := make([]JournalRecord, 0, len(messages))
	for _, m := range messages {
		text, _ := m.Values[journalField].(string)
		records = append(records, JournalRecord{ID: m.ID, Record: []byte(text)})
	}
	return records
}
