package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// healthyName is the endpoint whose target works.
const healthyName = "healthy"

// The measurements that the others are compared to.
const (
	undisturbedBefore = "undisturbed, before"
	undisturbedAfter  = "undisturbed, after"
)

// The bounds of a run, beyond its flags.
const (
	parkWithin  = 5 * time.Minute
	drainWithin = 10 * time.Minute
)

type isolationOptions struct {
	queued, rate, deadRate int
	duration               time.Duration
	bodyBytes, connections int
}

// benchIsolation measures an endpoint whose target works, alone and beside
// targets that don't, for which events are queued, and while those drain.
func benchIsolation(ctx context.Context, args []string, out io.Writer) error {
	var o isolationOptions
	flags := flag.NewFlagSet("isolation", flag.ContinueOnError)
	flags.IntVar(&o.queued, "queued", 100_000, "how many events are queued for the dead targets")
	flags.IntVar(&o.rate, "rate", 200, "webhooks per second to the healthy endpoint")
	flags.IntVar(&o.deadRate, "dead-rate", 20, "webhooks per second to the dead ones while it is measured beside them")
	flags.DurationVar(&o.duration, "duration", 20*time.Second, "how long each measurement takes")
	flags.IntVar(&o.bodyBytes, "body", 2048, "bytes of a body")
	flags.IntVar(&o.connections, "connections", 32, "how many senders fill the queues")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.queued < 0 || o.rate < 1 || o.deadRate < 1 || o.connections < 1 {
		return errors.New("queued must not be negative, the rates and connections must be positive")
	}
	var stand standIn
	defer stand.cleanup()
	server := redistest.Start(&stand, "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
	b, err := newIsolation(ctx, o, server)
	if err != nil {
		return err
	}
	defer b.receiver.stop()
	defer b.log.Close()
	fmt.Fprintf(out, "isolation: %d webhooks/s to a healthy endpoint, %d events queued for a target that hangs, one that refuses connections, one that answers 500; %s\n\n",
		o.rate, o.queued, machine())
	if err := b.run(ctx); err != nil {
		return err
	}
	return b.print(out)
}

// isolation is one run.
type isolation struct {
	o        isolationOptions
	server   *redistest.Server
	steady   *steady
	broken   *broken
	receiver *child
	log      *store.Store

	phases         []phase
	rssBefore, rss int64
	filled         time.Duration // the time that it took to queue all
	drained        time.Duration // from when the targets work to the last parked one
	draining       time.Duration // of this, the time in which they got something
	parked         int64
}

// phase is one measurement.
type phase struct {
	name string
	took []time.Duration // sorted
	// typical is the median of the p99 of each second: whatever else the machine
	// does for some seconds hardly changes it.
	typical time.Duration
	// cpu is what receiver and Redis spent per webhook to the healthy endpoint.
	cpu, redisCPU time.Duration
}

func newIsolation(ctx context.Context, o isolationOptions, server *redistest.Server) (*isolation, error) {
	b := &isolation{o: o, server: server, steady: newSteady(o.rate, o.bodyBytes)}
	healthy, err := listen(ctx, b.steady)
	if err != nil {
		return nil, err
	}
	if b.broken, err = newBroken(ctx); err != nil {
		return nil, err
	}
	if b.log, err = store.Open(ctx, store.Options{URL: server.URL()}); err != nil {
		return nil, err
	}
	args := []string{"isolated", server.URL(), healthyName + "=" + healthy}
	for name, address := range b.broken.addresses {
		args = append(args, name+"="+address)
	}
	if b.receiver, err = startChild(ctx, args...); err != nil {
		return nil, errors.Join(err, b.log.Close())
	}
	b.steady.receiver = b.receiver.Address
	return b, nil
}

// run takes the steps. The first measurement only warms up.
func (b *isolation) run(ctx context.Context) error {
	for _, name := range []string{"", undisturbedBefore} {
		if err := b.measure(ctx, name, b.o.duration); err != nil {
			return err
		}
	}
	before, err := b.receiver.counts(ctx)
	if err != nil {
		return err
	}
	b.rssBefore = before.PeakRSS
	if err := b.queue(ctx); err != nil {
		return err
	}
	if err := b.measureDisturbed(ctx); err != nil {
		return err
	}
	if err := b.drain(ctx); err != nil {
		return err
	}
	after, err := b.receiver.counts(ctx)
	if err != nil {
		return err
	}
	b.rss = after.PeakRSS
	return b.measure(ctx, undisturbedAfter, b.o.duration)
}

func (b *isolation) measure(ctx context.Context, name string, d time.Duration) error {
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return b.measureUntil(timed, name)
}

func (b *isolation) measureUntil(ctx context.Context, name string) error {
	cpu, redisCPU, err := b.cpu(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	took, err := b.steady.measure(ctx, healthyName)
	if err != nil {
		return err
	}
	typical := typicalP99(took, b.o.rate)
	slices.Sort(took)
	cpuAfter, redisAfter, err := b.cpu(context.WithoutCancel(ctx))
	if name != "" && len(took) > 0 {
		each := time.Duration(len(took))
		b.phases = append(b.phases, phase{name, took, typical, (cpuAfter - cpu) / each, (redisAfter - redisCPU) / each})
	}
	return err
}

// typicalP99 is the median of the p99 of so many values at a time.
func typicalP99(took []time.Duration, each int) time.Duration {
	var all []float64
	for chunk := range slices.Chunk(took, each) {
		if len(chunk) == each || len(all) == 0 {
			all = append(all, float64(quantile(slices.Sorted(slices.Values(chunk)), 0.99)))
		}
	}
	return time.Duration(median(all))
}

// cpu is what receiver and Redis have spent so far.
func (b *isolation) cpu(ctx context.Context) (receiver, redis time.Duration, err error) {
	counts, err := b.receiver.counts(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, field := range []string{"used_cpu_sys", "used_cpu_user"} {
		seconds, err := strconv.ParseFloat(b.server.Info("cpu", field), 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read the CPU time of Redis: %w", err)
		}
		redis += time.Duration(seconds * float64(time.Second))
	}
	return counts.CPU, redis, nil
}

// queue fills the queues of the dead targets and waits until the receiver has
// parked them.
func (b *isolation) queue(ctx context.Context) error {
	began := time.Now()
	if err := b.steady.fill(ctx, b.broken.names(), b.o.queued, b.o.connections); err != nil {
		return fmt.Errorf("fill the queues: %w", err)
	}
	b.filled = time.Since(began)
	ctx, cancel := context.WithTimeout(ctx, parkWithin)
	defer cancel()
	return poll(ctx, 200*time.Millisecond, func() (bool, error) {
		stats, err := b.log.Stats(ctx)
		b.parked = stats.Parked
		return stats.Parked >= int64(b.o.queued*99/100), err
	})
}

// measureDisturbed goes on sending to the dead targets meanwhile.
func (b *isolation) measureDisturbed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.o.duration)
	defer cancel()
	others := newSteady(b.o.deadRate, b.o.bodyBytes)
	others.receiver = b.steady.receiver
	failed := make(chan error, 1)
	go func() { failed <- others.trickle(ctx, b.broken.names()) }()
	if err := b.measureUntil(ctx, "beside dead targets"); err != nil {
		return err
	}
	return <-failed
}

// trickle sends to endpoints in turns until ctx ends.
func (s *steady) trickle(ctx context.Context, names []string) error {
	ticker := time.NewTicker(time.Second / time.Duration(s.rate))
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := s.send(context.WithoutCancel(ctx), names[i%len(names)], fmt.Sprintf("trickle-%d", i)); err != nil {
				return err
			}
		}
	}
}

// drain mends the targets and measures until nothing is parked any more.
func (b *isolation) drain(ctx context.Context) error {
	if err := b.broken.mend(); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	measuring, drained := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		defer drained()
		last, got := began, int64(0)
		failed <- poll(ctx, 100*time.Millisecond, func() (bool, error) {
			now, more := time.Now(), b.broken.got.Load()
			if more > got {
				b.draining += now.Sub(last)
			}
			last, got = now, more
			stats, err := b.log.Stats(ctx)
			return stats.Parked == 0, err
		})
		b.drained = time.Since(began)
	}()
	if err := b.measureUntil(measuring, "while their backlogs drain"); err != nil {
		return err
	}
	return <-failed
}

// print prints the table. The ratio is to what was measured undisturbed, before
// and after.
func (b *isolation) print(out io.Writer) error {
	var alone []time.Duration
	var typical []float64
	for _, p := range b.phases {
		if p.name == undisturbedBefore || p.name == undisturbedAfter {
			alone = append(alone, p.took...)
			typical = append(typical, float64(p.typical))
		}
	}
	slices.Sort(alone)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "events\tp50\tp99\tratio\tp99 of a second\tratio\tCPU/event\tof Redis\t")
	for _, p := range b.phases {
		p99 := quantile(p.took, 0.99)
		fmt.Fprintf(table, "%d\t%s\t%s\t%.2f\t%s\t%.2f\t%d µs\t%d µs\t  %s\n", len(p.took), milliseconds(quantile(p.took, 0.5)), milliseconds(p99),
			float64(p99)/float64(quantile(alone, 0.99)), milliseconds(p.typical), float64(p.typical)/median(typical), p.cpu.Microseconds(), p.redisCPU.Microseconds(), p.name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d events were queued in %.1f s (%.0f/s)\n", b.o.queued, b.filled.Seconds(), float64(b.o.queued)/b.filled.Seconds())
	fmt.Fprintf(out, "drained %.1f s after the targets work: %.0f/s while they got any, all together\n",
		b.drained.Seconds(), float64(b.broken.got.Load())/b.draining.Seconds())
	_, err := fmt.Fprintf(out, "the receiver's peak RSS: %d MiB before, %d MiB in all\n", b.rssBefore>>20, b.rss>>20)
	return err
}
