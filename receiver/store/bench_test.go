package store

import (
	"context"
	"encoding/binary"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/test/redistest"
)

// goroutinesPerCPU makes the benchmarks concurrent as a busy receiver is.
const goroutinesPerCPU = 32

// BenchmarkAccept compares ways to store an event, side by side in one run:
//
//	script         one script per call and round trip
//	native         ZADD NX and SET NX in one pipeline per call
//	nativeGrouped  ZADD NX and SET NX, grouped with those of other callers
//	scriptGrouped  one script, grouped with those of other callers: Accept
func BenchmarkAccept(b *testing.B) {
	server := redistest.Start(b)
	s := openStore(b, server, nil)
	ctx := context.Background()
	if err := s.client.ScriptLoad(ctx, acceptScript.source).Err(); err != nil {
		b.Fatal(err)
	}
	ways := []struct {
		name  string
		store func(id ref, r *record, end int64) error
	}{
		{"script", func(id ref, r *record, end int64) error {
			return s.client.EvalSha(ctx, acceptScript.sha, deliveryNames(id, r.event.Endpoint), acceptArgs(id, r, end)...).Err()
		}},
		{"native", func(id ref, r *record, end int64) error {
			_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.ZAddNX(ctx, dueName[id.partition()], redis.Z{Score: float64(end), Member: member(id, "")})
				pipe.SetNX(ctx, eventName(id), r.encode(), 0)
				return nil
			})
			return err
		}},
		{"nativeGrouped", func(id ref, r *record, end int64) error {
			due := s.pipeline.ZAddNX(ctx, dueName[id.partition()], redis.Z{Score: float64(end), Member: member(id, "")})
			set := s.pipeline.SetNX(ctx, eventName(id), r.encode(), 0)
			if err := set.Err(); err != nil {
				return err
			}
			return due.Err()
		}},
		{"scriptGrouped", func(id ref, r *record, end int64) error {
			_, err := s.run(ctx, acceptScript, deliveryNames(id, r.event.Endpoint), acceptArgs(id, r, end)...)
			return err
		}},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			if err := s.client.FlushAll(ctx).Err(); err != nil {
				b.Fatal(err)
			}
			inParallel(b, func(i int64) error {
				e := sampleEvent("github/hooks", strconv.FormatInt(i, 10))
				r := &record{event: e, facts: facts{targets: []string{""}, window: s.Now().Add(time.Hour)}}
				return way.store(eventRef(e.Endpoint, e.ID), r, s.leaseEnd(s.Now(), time.Minute))
			})
		})
	}
}

func acceptArgs(id ref, r *record, end int64) []any {
	return []any{r.encode(), end, end, "{}", 0, r.event.Endpoint, int64(1) << 24, make([]byte, markField+markTime), member(id, "")}
}

// BenchmarkLife accepts and delivers, the two steps of an event without trouble.
func BenchmarkLife(b *testing.B) {
	s := openStore(b, redistest.Start(b), nil)
	inParallel(b, func(i int64) error {
		_, leases, err := s.Accept(context.Background(), sampleEvent("a/b", strconv.FormatInt(i, 10)),
			AcceptOptions{Window: time.Hour, Lease: time.Minute})
		if err != nil {
			return err
		}
		return s.Delivered(context.Background(), leases[0])
	})
}

// BenchmarkMemory reports the bytes that Redis needs for an event in each state, of
// 1,000 endpoints, on top of the bytes of its record. Delivered are events that are
// remembered, with their content or without.
func BenchmarkMemory(b *testing.B) {
	server := redistest.Start(b)
	s := openStore(b, server, nil)
	ctx := context.Background()
	used := func() int64 {
		n, err := strconv.ParseInt(server.Info("memory", "used_memory"), 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	content := AcceptOptions{Window: time.Hour, Lease: time.Hour, Content: &[32]byte{}}
	plain := AcceptOptions{Window: time.Hour, Lease: time.Hour}
	for _, state := range []struct {
		name  string
		o     AcceptOptions
		reach func(*Event, Lease) error
		keeps bool // the record
	}{
		{"pending", plain, func(*Event, Lease) error { return nil }, true},
		{"retrying", plain, func(_ *Event, l Lease) error {
			return s.Retry(ctx, l, s.Now(), Failure{Attempts: 1, Error: "answered 500"})
		}, true},
		{"held", plain, func(e *Event, l Lease) error { return s.Hold(ctx, l, e.Endpoint, e.ReceivedAt) }, true},
		{"dead", plain, func(_ *Event, l Lease) error {
			return s.DeadLetter(ctx, l, Failure{Attempts: 12, Error: "answered 500"})
		}, true},
		{"delivered", plain, func(_ *Event, l Lease) error { return s.Delivered(ctx, l) }, false},
		{"deliveredWithContent", content, func(_ *Event, l Lease) error { return s.Delivered(ctx, l) }, false},
	} {
		b.Run(state.name, func(b *testing.B) {
			one := func(i int64) error {
				e := sampleEvent("team/endpoint-"+strconv.FormatInt(i%1000, 10), strconv.FormatInt(i, 10))
				o := state.o
				if o.Content != nil {
					o.Content = &[32]byte{1}
					binary.BigEndian.PutUint64(o.Content[8:], uint64(i))
				}
				_, leases, err := s.Accept(ctx, e, o)
				if err != nil {
					return err
				}
				return state.reach(e, leases[0])
			}
			if err := one(0); err != nil { // so that scripts and connections are there
				b.Fatal(err)
			}
			if err := s.client.FlushAll(ctx).Err(); err != nil {
				b.Fatal(err)
			}
			before := used()
			inParallel(b, one)
			b.StopTimer()
			size := 0
			if state.keeps {
				size = len((&record{event: sampleEvent("team/endpoint-500", "123456"), facts: facts{targets: []string{""}}}).encode())
			}
			b.ReportMetric(float64(used()-before)/float64(b.N)-float64(size), "redis-B/event")
		})
	}
}

// BenchmarkConfirmed accepts with and without waiting for a replica, both with
// an append-only file that is fsynced before each answer.
func BenchmarkConfirmed(b *testing.B) {
	args := []string{"--appendonly", "yes", "--appendfsync", "always"}
	master := redistest.Start(b, args...)
	redistest.StartReplica(b, master, args...)
	for name, wait := range map[string]Wait{"plain": {}, "waiting": {Replicas: 1}} {
		b.Run(name, func(b *testing.B) {
			s := openWith(b, Options{URL: master.URL(), Wait: wait})
			inParallel(b, func(i int64) error {
				_, _, err := s.Accept(context.Background(), sampleEvent(b.Name(), strconv.FormatInt(i, 10)),
					AcceptOptions{Window: time.Hour, Lease: time.Minute})
				return err
			})
		})
	}
}

// BenchmarkRecord measures the codec on a webhook of 2 KiB.
func BenchmarkRecord(b *testing.B) {
	r := &record{event: sampleEvent("a/b", "1"), facts: facts{targets: []string{""}, window: time.Now()}}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			r.encode()
		}
	})
	encoded := r.encode()
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeRecord(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func inParallel(b *testing.B, do func(i int64) error) {
	var next atomic.Int64
	b.SetParallelism(goroutinesPerCPU)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(next.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// sampleEvent looks like a webhook of GitHub: a dozen headers and 2 KiB.
func sampleEvent(endpoint, id string) *Event {
	return &Event{
		Meta: event.Meta{
			Endpoint: endpoint, EndpointUID: "6f1c1d0e", Provider: "github", ID: id, Type: "push",
			RequestID: "01J9Z3", SourceIP: "192.0.2.7", ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC), BodyBytes: 2048,
		},
		Method:      http.MethodPost,
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Header: http.Header{
			"Content-Type": {"application/json"}, "User-Agent": {"GitHub-Hookshot/044aadd"},
			"X-Github-Event": {"push"}, "X-Github-Delivery": {id}, "Accept": {"*/*"},
			"X-Github-Hook-Id": {"292430182"}, "X-Github-Hook-Installation-Target-Id": {"79929171"},
			"X-Github-Hook-Installation-Target-Type": {"repository"}, "Accept-Encoding": {"gzip"},
		},
		Body: make([]byte, 2048),
	}
}
