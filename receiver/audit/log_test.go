package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func newTestMetrics() *Metrics { return NewMetrics(prometheus.NewRegistry()) }

func TestLogWritesEveryRecordAsALine(t *testing.T) {
	var out bytes.Buffer
	metrics := newTestMetrics()
	log := NewLog(&out, metrics)
	sink := NewFanOut("receiver-1", func() time.Time { return time.Unix(1, 0) }, log)
	const n = 5000
	for i := range n {
		sink.Record(Record{EventID: fmt.Sprint(i), Status: Accepted, SignatureVerified: true, ErrorMessage: "<&>\n"})
	}
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for scanner := bufio.NewScanner(&out); scanner.Scan(); lines++ {
		var r Record
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			t.Fatalf("line %d is no record: %v", lines, err)
		}
		if r.EventID != fmt.Sprint(lines) || r.Receiver != "receiver-1" || !r.Time.Equal(time.Unix(1, 0)) || r.ErrorMessage != "<&>\n" {
			t.Fatalf("line %d is %+v", lines, r)
		}
	}
	if lines != n {
		t.Errorf("the log has %d lines, want %d", lines, n)
	}
	if got := testutil.ToFloat64(metrics.logDropped(false)); got != 0 {
		t.Errorf("%v records were dropped", got)
	}
}

// stuck is a Writer whose reader has gone to lunch.
type stuck struct{ release chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.release; return len(p), nil }

func TestLogNeverBlocksAndCountsWhatItDrops(t *testing.T) {
	metrics := newTestMetrics()
	out := stuck{make(chan struct{})}
	log := NewLog(out, metrics)
	const extra = 100
	for range 2*logQueue + extra { // the writer may hold some, too
		log.Record(Record{Status: Accepted, SignatureVerified: true, ErrorMessage: string(make([]byte, 64))})
	}
	if got := testutil.ToFloat64(metrics.logDropped(false)); got < extra {
		t.Errorf("%v records were counted as dropped, want at least %d", got, extra)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close says %v, want that it could not write everything", err)
	}
	before := testutil.ToFloat64(metrics.logDropped(false))
	log.Record(Record{SignatureVerified: true})
	if got := testutil.ToFloat64(metrics.logDropped(false)); got != before+1 {
		t.Errorf("a record after Close was not counted")
	}
	close(out.release)
	if err := log.Close(t.Context()); err != nil {
		t.Errorf("Close says %v once the writer has caught up", err)
	}
}

// A log that is read too slowly loses what strangers caused first.
func TestAFloodOfStrangersDropsNothingAuthentic(t *testing.T) {
	metrics := newTestMetrics()
	out := stuck{make(chan struct{})}
	log := NewLog(out, metrics)
	flood := func() {
		for range 2 * logQueue {
			log.Record(Record{Status: Rejected, StatusCode: 404, ErrorMessage: string(make([]byte, 64))})
		}
	}
	flood()
	for i := range logQueue - strangersLogQueue - 1 {
		log.Record(Record{Status: []Status{Accepted, DeadLettered}[i%2], SignatureVerified: true, Attempt: i % 2})
		if i == 0 {
			flood()
		}
	}
	if got := testutil.ToFloat64(metrics.logDropped(false)); got != 0 {
		t.Errorf("%v authentic records were dropped", got)
	}
	if got := testutil.ToFloat64(metrics.logDropped(true)); got < logQueue {
		t.Errorf("%v records of strangers were counted as dropped", got)
	}
	close(out.release)
	if err := log.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// flaky fails once.
type flaky struct {
	bytes.Buffer
	failed bool
}

func (f *flaky) Write(p []byte) (int, error) {
	if !f.failed {
		f.failed = true
		return 0, io.ErrShortWrite
	}
	return f.Buffer.Write(p)
}

func TestLogSurvivesAFailedWrite(t *testing.T) {
	metrics := newTestMetrics()
	out := new(flaky)
	log := NewLog(out, metrics)
	log.encode(Record{EventID: "lost"})
	log.check(log.buffer.Flush())
	log.Record(Record{EventID: "kept", SignatureVerified: true})
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out.Bytes(), []byte("kept")) || testutil.ToFloat64(metrics.logDropped(false)) != 1 {
		t.Errorf("the log is %q after a failed write", out)
	}
}

func BenchmarkLog(b *testing.B) {
	log := NewLog(io.Discard, newTestMetrics())
	record := Record{Endpoint: "billing/stripe", EventID: "evt_1", Status: Accepted, SignatureVerified: true, RequestID: "r"}
	b.ReportAllocs()
	for b.Loop() {
		log.Record(record)
	}
	_ = log.Close(context.Background())
}
