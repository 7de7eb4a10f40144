package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

type drainOptions struct {
	queued, rate, rounds   int
	duration               time.Duration
	bodyBytes, connections int
}

// benchDrain queues events for a target that is down, has it come back, and
// measures how fast it gets them, and what an endpoint beside it notices.
func benchDrain(ctx context.Context, args []string, out io.Writer) error {
	var o drainOptions
	flags := flag.NewFlagSet("drain", flag.ContinueOnError)
	flags.IntVar(&o.queued, "queued", 20_000, "how many events are queued in each round")
	flags.IntVar(&o.rounds, "rounds", 3, "how often the target goes down")
	flags.IntVar(&o.rate, "rate", 200, "webhooks per second to the healthy endpoint")
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "how long the healthy endpoint is measured alone in each round")
	flags.IntVar(&o.bodyBytes, "body", 2048, "bytes of a body")
	flags.IntVar(&o.connections, "connections", 32, "how many senders fill the queue")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.queued < 1 || o.rounds < 1 || o.rate < 1 || o.connections < 1 {
		return errors.New("queued, rounds, rate and connections must be positive")
	}
	stand := newStandIn(ctx)
	defer stand.cleanup()
	b, err := newDrain(ctx, o, stand)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "drain: %d events for a target that was down, bodies of %d bytes, %d webhooks/s to a healthy endpoint beside it; %s\n\n",
		o.queued, o.bodyBytes, o.rate, machine())
	for range o.rounds {
		if err := b.round(ctx); err != nil {
			return err
		}
	}
	return b.print(out)
}

// failing is a target that answers 503 while it is down.
type failing struct {
	down atomic.Bool
	got  atomic.Int64 // requests answered 200
}

// ServeHTTP implements http.Handler.
func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if f.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	f.got.Add(1)
}

// failingName is its endpoint.
const failingName = "fails"

type drain struct {
	o      drainOptions
	side   *side
	target failing
	n      int // of the round

	alone, beside []phase
	ends          []emptying
}

func newDrain(ctx context.Context, o drainOptions, stand *standIn) (*drain, error) {
	b := &drain{o: o}
	address, err := listen(ctx, &b.target)
	if err != nil {
		return nil, err
	}
	b.side, err = newSide(ctx, stand, o.rate, o.bodyBytes, map[string]string{failingName: address})
	return b, err
}

func (b *drain) round(ctx context.Context) error {
	b.n++
	alone, err := b.side.measureFor(ctx, b.o.duration)
	if err != nil {
		return err
	}
	b.target.down.Store(true)
	if err := b.side.steady.fill(ctx, []string{failingName}, b.o.queued, b.o.connections); err != nil {
		return fmt.Errorf("fill the queue: %w", err)
	}
	if err := b.side.awaitHeld(ctx, b.o.queued); err != nil {
		return err
	}
	b.target.down.Store(false)
	return b.empty(ctx, alone)
}

// empty measures until nothing is held any more.
func (b *drain) empty(ctx context.Context, alone phase) error {
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	// What is held begins to drain with the next probe of its target.
	if err := poll(ctx, 10*time.Millisecond, func() (bool, error) { return b.target.got.Load() >= int64((b.n-1)*b.o.queued)+2, nil }); err != nil {
		return err
	}
	measuring, emptied := context.WithCancel(ctx)
	var end emptying
	failed := make(chan error, 1)
	go func() {
		defer emptied()
		var err error
		end, err = b.side.watch(ctx, b.target.got.Load)
		failed <- err
	}()
	beside, err := b.side.measure(measuring)
	if err := errors.Join(err, <-failed); err != nil {
		return err
	}
	b.alone, b.beside, b.ends = append(b.alone, alone), append(b.beside, beside), append(b.ends, end)
	// The last ones are still on their way.
	return poll(ctx, 10*time.Millisecond, func() (bool, error) { return b.target.got.Load() >= int64(b.n*b.o.queued), nil })
}

func (b *drain) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "round\tdrained\tevents/s\tp50\talone\tp99\talone\tratio\t")
	var rates, ratios []float64
	for i, end := range b.ends {
		alone, beside := b.alone[i], b.beside[i]
		rates, ratios = append(rates, end.perSecond()), append(ratios, float64(beside.p99)/float64(alone.p99))
		fmt.Fprintf(table, "%d\t%.1f s\t%.0f\t%s\t%s\t%s\t%s\t%.2f\t\n", i+1, end.took.Seconds(), end.perSecond(),
			milliseconds(beside.p50), milliseconds(alone.p50), milliseconds(beside.p99), milliseconds(alone.p99), ratios[i])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nmedians: %.0f events/s, and the p99 of the healthy endpoint is %.2f times what it is alone\n", median(rates), median(ratios))
	return err
}
