package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

// contender is one of the servers that are compared.
type contender struct {
	name   string
	server []string // the arguments of serve, before the URL of Redis
	*child

	rounds []round
}

// round is what one contender did in one round.
type round struct {
	measured
	allocations float64 // heap objects per request
	cpu         float64 // of the server, nanoseconds per request
	delivered   float64 // events per second that reached the target
}

// acceptOptions are the flags.
type acceptOptions struct {
	load
	rounds int
}

// benchAccept compares the contenders, once for each way in which Redis keeps
// its append-only file.
func benchAccept(ctx context.Context, args []string, out io.Writer) error {
	var o acceptOptions
	flags := flag.NewFlagSet("accept", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 15, "how often each server takes its turn")
	flags.DurationVar(&o.duration, "duration", time.Second, "how long a turn takes")
	flags.IntVar(&o.connections, "connections", 64, "how many senders post at a time")
	flags.IntVar(&o.bodyBytes, "body", 2048, "bytes of a body")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fmt.Fprintf(out, "accept path: %d rounds of %v, %d connections, bodies of %d bytes; %s\n", o.rounds, o.duration, o.connections, o.bodyBytes, machine())
	for _, fsync := range []string{"everysec", "always"} {
		if err := compare(ctx, o, fsync, out); err != nil {
			return fmt.Errorf("appendfsync %s: %w", fsync, err)
		}
	}
	return nil
}

// compare runs all rounds against one Redis.
func compare(ctx context.Context, o acceptOptions, fsync string, out io.Writer) error {
	stand := newStandIn(ctx)
	defer stand.cleanup()
	server := redistest.Start(stand, "--appendonly", "yes", "--appendfsync", fsync, "--auto-aof-rewrite-percentage", "0")
	target, err := startChild(ctx, "target")
	if err != nil {
		return err
	}
	defer target.stop()
	contenders := []*contender{
		{name: "bare handler", server: []string{"bare"}},
		{name: "sallyport, accept only", server: []string{"gate", ""}},
		{name: "sallyport, and delivery", server: []string{"gate", target.Address}},
	}
	stand.Cleanup(func() { stopAll(contenders) })
	for _, c := range contenders {
		if c.child, err = startChild(ctx, append(c.server, server.URL())...); err != nil {
			return err
		}
	}
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		return err
	}
	database := redis.NewClient(options)
	defer database.Close()

	// Round -1 warms up and does not count. The order turns, so that none always
	// comes after the same one.
	for n := -1; n < o.rounds; n++ {
		for i := range contenders {
			c := contenders[(n+1+i)%len(contenders)]
			r, err := takeTurn(ctx, o.load, c.child, target, database)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if n >= 0 {
				c.rounds = append(c.rounds, r)
			}
		}
	}
	return printAccept(out, fsync, contenders)
}

// stopAll stops those that were started.
func stopAll(contenders []*contender) {
	for _, c := range contenders {
		if c.child != nil {
			c.stop()
		}
	}
}

// takeTurn measures one contender, from an empty Redis and back to one.
func takeTurn(ctx context.Context, l load, server, target *child, database *redis.Client) (round, error) {
	l.address = server.Address
	before, err := server.counts(ctx)
	if err != nil {
		return round{}, err
	}
	targetBefore, err := target.counts(ctx)
	if err != nil {
		return round{}, err
	}
	m, err := l.run(ctx)
	if err != nil {
		return round{}, err
	}
	after, err := server.counts(ctx)
	if err != nil {
		return round{}, err
	}
	targetAfter, err := target.counts(ctx)
	if err != nil {
		return round{}, err
	}
	r := round{
		measured:    m,
		allocations: float64(after.Mallocs-before.Mallocs) / float64(m.requests),
		cpu:         float64(after.CPU-before.CPU) / float64(m.requests),
		delivered:   float64(targetAfter.Requests-targetBefore.Requests) / m.elapsed.Seconds(),
	}
	if err := awaitQuiet(ctx, target); err != nil {
		return round{}, err
	}
	return r, database.FlushAll(ctx).Err()
}

// How long a turn waits for the target to get what is still on its way, so that
// it does not disturb the next one.
const (
	quietFor  = 300 * time.Millisecond
	quietMost = 10 * time.Second
)

// awaitQuiet waits until the target has had no request for a while.
func awaitQuiet(ctx context.Context, target *child) error {
	ctx, cancel := context.WithTimeout(ctx, quietMost)
	defer cancel()
	ticker := time.NewTicker(quietFor)
	defer ticker.Stop()
	for last := int64(-1); ; {
		now, err := target.counts(ctx)
		if ctx.Err() != nil {
			return nil // what is left is lost with the FLUSHALL that follows
		}
		if err != nil || now.Requests == last {
			return err
		}
		last = now.Requests
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// printAccept prints medians over the rounds, and the ratio to the first
// contender in the same round.
func printAccept(out io.Writer, fsync string, contenders []*contender) error {
	fmt.Fprintf(out, "\nappendfsync %s\n", fsync)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "requests/s\tratio\tp50\tp99\tCPU/request\tratio\tallocs/request\tdelivered/s\t")
	for _, c := range contenders {
		fmt.Fprintf(table, "%.0f\t%.2f\t%s\t%s\t%.0f µs\t%.2f\t%.0f\t%.0f\t  %s\n",
			c.median(round.perSecond), median(c.ratios(contenders[0], round.perSecond)),
			milliseconds(c.latency(0.5)), milliseconds(c.latency(0.99)),
			c.median(round.cpuTime)/1000, median(c.ratios(contenders[0], round.cpuTime)),
			c.median(func(r round) float64 { return r.allocations }),
			c.median(func(r round) float64 { return r.delivered }),
			c.name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "  ratios of requests/s, round by round:")
	for _, c := range contenders[1:] {
		fmt.Fprintf(out, "  %.2f  %s\n", c.ratios(contenders[0], round.perSecond), c.name)
	}
	return nil
}

func (r round) cpuTime() float64 { return r.cpu }

// ratios are those to another contender, round by round: what disturbs a round
// disturbs both.
func (c *contender) ratios(to *contender, of func(round) float64) []float64 {
	ratios := make([]float64, len(c.rounds))
	for i, r := range c.rounds {
		ratios[i] = of(r) / of(to.rounds[i])
	}
	return ratios
}

// latency is the median over the rounds of a quantile of each.
func (c *contender) latency(q float64) time.Duration {
	return time.Duration(c.median(func(r round) float64 { return float64(quantile(r.latencies, q)) }))
}

// median is that of a value of each round.
func (c *contender) median(of func(round) float64) float64 {
	values := make([]float64, len(c.rounds))
	for i, r := range c.rounds {
		values[i] = of(r)
	}
	return median(values)
}
