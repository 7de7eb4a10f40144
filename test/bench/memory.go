package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/redistest"
)

// memoryCallers store side by side.
const memoryCallers = 64

// memoryWindow is the deduplication window of what is stored.
const memoryWindow = 72 * time.Hour

// state is what becomes of events before they are weighed.
type state struct {
	name    string
	content bool // signed content is remembered, too
	become  func(context.Context, *store.Store, store.Lease) error
}

var states = []state{
	{name: "pending", become: func(context.Context, *store.Store, store.Lease) error { return nil }},
	{name: "pending, failed once", become: func(ctx context.Context, s *store.Store, l store.Lease) error {
		return s.Retry(ctx, l, s.Now().Add(time.Hour), weighedFailure(s))
	}},
	{name: "pending, in the backlog of its target", become: func(ctx context.Context, s *store.Store, l store.Lease) error {
		return s.Hold(ctx, l, "bench/github", s.Now())
	}},
	{name: "dead letter", become: func(ctx context.Context, s *store.Store, l store.Lease) error {
		return s.DeadLetter(ctx, l, weighedFailure(s))
	}},
	{name: "remembered", become: func(ctx context.Context, s *store.Store, l store.Lease) error { return s.Delivered(ctx, l) }},
	{name: "remembered, with its content", content: true, become: func(ctx context.Context, s *store.Store, l store.Lease) error { return s.Delivered(ctx, l) }},
}

func weighedFailure(s *store.Store) store.Failure {
	return store.Failure{Attempts: 1, Error: "the target answered 503 Service Unavailable", First: s.Now()}
}

// benchMemory weighs what Redis keeps of an event in each state, and a receiver.
func benchMemory(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("memory", flag.ContinueOnError)
	events := flags.Int("events", 20_000, "how many events are weighed at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *events < 1 {
		return errors.New("events must be positive")
	}
	stand := newStandIn(ctx)
	defer stand.cleanup()
	server := redistest.Start(stand)
	log, err := store.Open(ctx, store.Options{URL: server.URL()})
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(out, "memory: bytes of Redis %s for each of %d events of GitHub; %s\n\n", server.Info("server", "redis_version"), *events, machine())
	sizes := []int{100, 1024}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, size := range sizes {
		fmt.Fprintf(table, "body of %d bytes\t", size)
	}
	fmt.Fprintln(table)
	for _, s := range states {
		for _, size := range sizes {
			each, err := weigh(ctx, server, log, s, size, *events)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Fprintf(table, "%.0f\t", each)
		}
		fmt.Fprintf(table, "  %s\n", s.name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return weighReceiver(ctx, stand, *events, out)
}

// weigh returns the bytes per event, from an empty Redis.
func weigh(ctx context.Context, server *redistest.Server, log *store.Store, s state, size, events int) (float64, error) {
	server.Do("FLUSHALL")
	before, err := usedMemory(server)
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	var callers sync.WaitGroup
	problems := make(chan error, memoryCallers)
	for range memoryCallers {
		callers.Go(func() {
			for n := next.Add(1); n <= int64(events); n = next.Add(1) {
				if err := s.keep(ctx, log, n, size); err != nil {
					problems <- err
					return
				}
			}
		})
	}
	callers.Wait()
	close(problems)
	if err := <-problems; err != nil {
		return 0, err
	}
	after, err := usedMemory(server)
	return float64(after-before) / float64(events), err
}

// keep stores an event and brings it to its state.
func (s state) keep(ctx context.Context, log *store.Store, n int64, size int) error {
	event := weighedEvent(n, size)
	o := store.AcceptOptions{Window: memoryWindow, Lease: time.Hour}
	if s.content {
		sum := sha256.Sum256([]byte(event.ID))
		o.Content = &sum
	}
	outcome, leases, err := log.Accept(ctx, event, o)
	if err == nil && outcome != store.Accepted {
		err = fmt.Errorf("an event is %s", outcome)
	}
	if err != nil {
		return err
	}
	return s.become(ctx, log, leases[0])
}

// weighedEvent has the headers that GitHub sends.
func weighedEvent(n int64, size int) *store.Event {
	id := fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012x", n)
	body := make([]byte, size)
	header := cluster.GitHub(loadSecret, "push", id, body)
	for name, value := range map[string]string{
		"Accept": "*/*", "Accept-Encoding": "gzip", "X-Github-Hook-Id": "292430182", "X-Github-Hook-Installation-Target-Id": "79929171",
		"X-Github-Hook-Installation-Target-Type": "repository", "X-Hub-Signature": "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6",
	} {
		header.Set(name, value)
	}
	return &store.Event{
		Meta: event.Meta{
			Endpoint: "bench/github", EndpointUID: "5b3bd29e-2a7c-4b13-9d0f-6d0e7b9f0a11", Provider: "github", ID: id, Type: "push",
			RequestID: "XCU6YR2NGCTGDPCO52S6ZUPZDX", SourceIP: "192.30.252.41", ReceivedAt: time.Now(),
		},
		Method: http.MethodPost, Header: header, Body: body,
	}
}

func usedMemory(server *redistest.Server) (int64, error) {
	bytes, err := strconv.ParseInt(server.Info("memory", "used_memory"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of Redis: %w", err)
	}
	return bytes, nil
}

// weighReceiver says how much memory a receiver has that can't deliver what comes.
func weighReceiver(ctx context.Context, stand *standIn, events int, out io.Writer) error {
	targets, err := newBroken(ctx)
	if err != nil {
		return err
	}
	s, err := newSide(ctx, stand, 1, 1024, targets.addresses)
	if err != nil {
		return err
	}
	before := rss(s.receiver.cmd.Process.Pid)
	if err := s.steady.fill(ctx, targets.names(), events, memoryCallers); err != nil {
		return err
	}
	if err := s.awaitHeld(ctx, events); err != nil {
		return err
	}
	after, err := s.receiver.counts(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nthe receiver's RSS, without its watch of the API server: %d MiB at first, %d MiB with %d events of 1024 bytes queued for dead targets, %d MiB at most\n",
		before>>20, rss(s.receiver.cmd.Process.Pid)>>20, events, after.PeakRSS>>20)
	return err
}
