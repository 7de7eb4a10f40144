package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// The bounds of a run, beyond its flags.
const (
	holdWithin  = 5 * time.Minute
	drainWithin = 10 * time.Minute
	// settleTime is what a side gets for what it has to make up after it stood still.
	settleTime = 300 * time.Millisecond
)

type isolationOptions struct {
	queued, rate, deadRate int
	rounds, drainRounds    int
	duration               time.Duration
	bodyBytes, connections int
}

// benchIsolation compares two receivers, each with a Redis of its own, in turns:
// one has nothing else to do than deliver to a target that works, the other one
// has events queued for targets that don't. Whatever else the machine does meets
// both.
func benchIsolation(ctx context.Context, args []string, out io.Writer) error {
	var o isolationOptions
	flags := flag.NewFlagSet("isolation", flag.ContinueOnError)
	flags.IntVar(&o.queued, "queued", 100_000, "how many events are queued for the dead targets")
	flags.IntVar(&o.rate, "rate", 200, "webhooks per second to the healthy endpoint")
	flags.IntVar(&o.deadRate, "dead-rate", 20, "webhooks per second to the dead ones while it is measured beside them")
	flags.IntVar(&o.rounds, "rounds", 8, "how often each side takes its turn")
	flags.IntVar(&o.drainRounds, "drain-rounds", 4, "the same, at most, while the queues drain")
	flags.DurationVar(&o.duration, "duration", 2*time.Second, "how long a turn takes")
	flags.IntVar(&o.bodyBytes, "body", 2048, "bytes of a body")
	flags.IntVar(&o.connections, "connections", 32, "how many senders fill the queues")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.queued < 0 || o.rate < 1 || o.deadRate < 1 || o.connections < 1 || o.rounds < 1 || o.drainRounds < 0 {
		return errors.New("queued and drain-rounds must not be negative, rounds, the rates and connections must be positive")
	}
	stand := newStandIn(ctx)
	defer stand.cleanup()
	b, err := newIsolation(ctx, o, stand)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "isolation: %d webhooks/s to a healthy endpoint, %d events queued for a target that hangs, one that refuses connections, one that answers 500; turns of %s; %s\n\n",
		o.rate, o.queued, o.duration, machine())
	if err := b.run(ctx); err != nil {
		return err
	}
	return b.print(out)
}

// isolation is one run.
type isolation struct {
	o                isolationOptions
	alone, disturbed *side
	broken           *broken

	pairs          []pairs
	rssBefore, rss int64
	filled         time.Duration // the time that it took to queue all
	draining       time.Duration // measured
	drained        int64         // meanwhile
}

// pairs are turns that both sides took, one after the other.
type pairs struct {
	name             string
	alone, disturbed []phase
}

func newIsolation(ctx context.Context, o isolationOptions, stand *standIn) (*isolation, error) {
	b := &isolation{o: o}
	var err error
	if b.broken, err = newBroken(ctx); err != nil {
		return nil, err
	}
	for _, s := range []**side{&b.alone, &b.disturbed} {
		if *s, err = newSide(ctx, stand, o.rate, o.bodyBytes, b.broken.addresses); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// run takes the steps. The first pair has nothing that would disturb, and shows
// how well the sides compare.
func (b *isolation) run(ctx context.Context) error {
	if err := b.compare(ctx, "nothing is queued", max(b.o.rounds/4, 1), nil); err != nil {
		return err
	}
	before, err := b.disturbed.receiver.counts(ctx)
	if err != nil {
		return err
	}
	b.rssBefore = before.PeakRSS
	if err := b.queue(ctx); err != nil {
		return err
	}
	if err := b.compare(ctx, "beside dead targets", b.o.rounds, b.trickle); err != nil {
		return err
	}
	if err := b.broken.mend(); err != nil {
		return err
	}
	if err := b.compare(ctx, "while their backlogs drain", b.o.drainRounds, b.watchDrain); err != nil {
		return err
	}
	after, err := b.disturbed.receiver.counts(ctx)
	b.rss = after.PeakRSS
	return err
}

// compare has both sides take turns. beside runs during those of the disturbed
// one; it returns false if there is nothing to compare any more.
func (b *isolation) compare(ctx context.Context, name string, rounds int, beside func(context.Context) (bool, error)) error {
	p := pairs{name: name}
	for n := -1; n < rounds; n++ { // round -1 warms up
		alone, _, err := b.turn(ctx, b.alone, b.disturbed, nil)
		if err != nil {
			return err
		}
		disturbed, more, err := b.turn(ctx, b.disturbed, b.alone, beside)
		if err != nil {
			return err
		}
		if n >= 0 && more {
			p.alone, p.disturbed = append(p.alone, alone), append(p.disturbed, disturbed)
		}
		if !more {
			break
		}
	}
	b.pairs = append(b.pairs, p)
	return nil
}

// turn measures one side while the other one stands still.
func (b *isolation) turn(ctx context.Context, s, other *side, beside func(context.Context) (bool, error)) (p phase, more bool, err error) {
	if err := errors.Join(other.freeze(true), s.freeze(false)); err != nil {
		return p, false, err
	}
	settling, settled := context.WithTimeout(ctx, settleTime)
	_, err = s.steady.measure(settling, healthyName)
	settled()
	if err != nil {
		return p, false, err
	}
	timed, cancel := context.WithTimeout(ctx, b.o.duration)
	defer cancel()
	more = true
	failed := make(chan error, 1)
	go func() {
		var err error
		if beside != nil {
			more, err = beside(timed)
		}
		failed <- err
	}()
	p, err = s.measure(timed)
	return p, more, errors.Join(err, <-failed)
}

// queue fills the queues of the dead targets and waits until the receiver has
// held them.
func (b *isolation) queue(ctx context.Context) error {
	if err := errors.Join(b.alone.freeze(true), b.disturbed.freeze(false)); err != nil {
		return err
	}
	began := time.Now()
	if err := b.disturbed.steady.fill(ctx, b.broken.names(), b.o.queued, b.o.connections); err != nil {
		return fmt.Errorf("fill the queues: %w", err)
	}
	b.filled = time.Since(began)
	return b.disturbed.awaitHeld(ctx, b.o.queued)
}

// trickle goes on sending to the dead targets.
func (b *isolation) trickle(ctx context.Context) (bool, error) {
	others := newSteady(b.o.deadRate, b.o.bodyBytes)
	others.receiver = b.disturbed.receiver.Address
	return true, others.trickle(ctx, b.broken.names())
}

// trickle sends to endpoints in turns until ctx ends.
func (s *steady) trickle(ctx context.Context, names []string) error {
	ticker := time.NewTicker(time.Second / time.Duration(s.rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			n := trickled.Add(1)
			if err := s.send(context.WithoutCancel(ctx), names[n%int64(len(names))], fmt.Sprintf("trickle-%d", n)); err != nil {
				return err
			}
		}
	}
}

// watchDrain says whether the backlogs drained during all of a turn.
func (b *isolation) watchDrain(ctx context.Context) (bool, error) {
	from, began := b.broken.got.Load(), time.Now()
	<-ctx.Done()
	took, got := time.Since(began), b.broken.got.Load()-from
	stats, err := b.disturbed.log.Stats(context.WithoutCancel(ctx))
	if err == nil && stats.Held > 0 {
		b.draining += took
		b.drained += got
		return true, nil
	}
	return false, err
}

// print prints the table. Ratios are medians over the rounds of those of a turn to
// the one before it.
func (b *isolation) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "events\tp50\talone\tratio\tp99\talone\tratio\tof the rounds\tCPU/event\talone\tof Redis\talone\t")
	for _, p := range b.pairs {
		if len(p.alone) == 0 {
			continue
		}
		ratios := p.ratios(phase.slowest)
		fmt.Fprintf(table, "%d\t%s\t%s\t%.2f\t%s\t%s\t%.2f\t%.2f–%.2f\t%d µs\t%d µs\t%d µs\t%d µs\t  %s\n",
			p.events(), milliseconds(middle(p.disturbed, phase.usual)), milliseconds(middle(p.alone, phase.usual)), median(p.ratios(phase.usual)),
			milliseconds(middle(p.disturbed, phase.slowest)), milliseconds(middle(p.alone, phase.slowest)), median(ratios), slices.Min(ratios), slices.Max(ratios),
			middle(p.disturbed, phase.spent).Microseconds(), middle(p.alone, phase.spent).Microseconds(),
			middle(p.disturbed, phase.spentByRedis).Microseconds(), middle(p.alone, phase.spentByRedis).Microseconds(), p.name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d events were queued in %.1f s (%.0f/s)\n", b.o.queued, b.filled.Seconds(), float64(b.o.queued)/b.filled.Seconds())
	if b.draining > 0 {
		fmt.Fprintf(out, "they drain by %.0f/s, all targets together\n", float64(b.drained)/b.draining.Seconds())
	}
	_, err := fmt.Fprintf(out, "the receiver's peak RSS: %d MiB before, %d MiB in all\n", b.rssBefore>>20, b.rss>>20)
	return err
}

func (p phase) usual() float64        { return float64(p.p50) }
func (p phase) slowest() float64      { return float64(p.p99) }
func (p phase) spent() float64        { return float64(p.cpu) }
func (p phase) spentByRedis() float64 { return float64(p.redisCPU) }

// middle is the median over phases.
func middle(phases []phase, of func(phase) float64) time.Duration {
	values := make([]float64, len(phases))
	for i, p := range phases {
		values[i] = of(p)
	}
	return time.Duration(median(values))
}

func (p pairs) events() int {
	n := 0
	for _, d := range p.disturbed {
		n += d.events
	}
	return n
}

func (p pairs) ratios(of func(phase) float64) []float64 {
	ratios := make([]float64, len(p.alone))
	for i := range p.alone {
		ratios[i] = of(p.disturbed[i]) / of(p.alone[i])
	}
	return ratios
}
