package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

type latencyOptions struct {
	rate, rounds, bodyBytes int
	duration                time.Duration
}

// way is one of the ways from a sender to a target that are compared.
type way struct {
	name   string
	server []string // the arguments of serve; "%" stands for the target
	*child
	*steady

	took [][]time.Duration // by round, sorted
}

// benchLatency measures the time from a sender to the target at a steady rate.
func benchLatency(ctx context.Context, args []string, out io.Writer) error {
	var o latencyOptions
	flags := flag.NewFlagSet("latency", flag.ContinueOnError)
	flags.IntVar(&o.rate, "rate", 200, "webhooks per second")
	flags.IntVar(&o.rounds, "rounds", 8, "how often each takes its turn")
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "how long a turn takes")
	flags.IntVar(&o.bodyBytes, "body", 2048, "bytes of a body")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.rate < 1 || o.rounds < 1 {
		return errors.New("rate and rounds must be positive")
	}
	stand := newStandIn(ctx)
	defer stand.cleanup()
	server := redistest.Start(stand, "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
	ways := []*way{
		{name: "bare handler, passes on", server: []string{"relay", "%"}},
		{name: "bare handler, stores and passes on", server: []string{"relay", "%", server.URL()}},
		{name: "sallyport", server: []string{"isolated", server.URL(), healthyName + "=%"}},
	}
	for _, w := range ways {
		if err := w.start(ctx, o, stand); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	fmt.Fprintf(out, "latency from the sender to the target: %d rounds of %s, %d webhooks/s, bodies of %d bytes, appendfsync everysec; %s\n\n",
		o.rounds, o.duration, o.rate, o.bodyBytes, machine())
	for n := -1; n < o.rounds; n++ { // round -1 warms up
		for i := range ways {
			if err := ways[(n+1+i)%len(ways)].turn(ctx, o.duration, n >= 0); err != nil {
				return err
			}
		}
	}
	return printLatency(out, ways)
}

func (w *way) start(ctx context.Context, o latencyOptions, stand *standIn) error {
	w.steady = newSteady(o.rate, o.bodyBytes)
	target, err := listen(ctx, w.steady)
	if err != nil {
		return err
	}
	args := slices.Clone(w.server)
	for i := range args {
		args[i] = string(bytes.ReplaceAll([]byte(args[i]), []byte("%"), []byte(target)))
	}
	if w.child, err = startChild(ctx, args...); err != nil {
		return err
	}
	stand.Cleanup(w.stop)
	w.receiver = w.Address
	return nil
}

func (w *way) turn(ctx context.Context, d time.Duration, counts bool) error {
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	took, err := w.measure(timed, healthyName)
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	slices.Sort(took)
	if counts {
		w.took = append(w.took, took)
	}
	return nil
}

// printLatency prints medians over the rounds, and those of the ratios to the first
// in the same round.
func printLatency(out io.Writer, ways []*way) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "p50\tratio\tp90\tratio\tp99\tratio\tratios of the rounds\t")
	for _, w := range ways {
		for _, q := range []float64{0.5, 0.9, 0.99} {
			values := w.quantiles(q)
			fmt.Fprintf(table, "%s\t%.2f\t", milliseconds(time.Duration(median(values))), median(w.ratios(ways[0], q)))
		}
		ratios := w.ratios(ways[0], 0.99)
		fmt.Fprintf(table, "%.2f–%.2f\t  %s\n", slices.Min(ratios), slices.Max(ratios), w.name)
	}
	return table.Flush()
}

func (w *way) quantiles(q float64) []float64 {
	values := make([]float64, len(w.took))
	for i, took := range w.took {
		values[i] = float64(quantile(took, q))
	}
	return values
}

func (w *way) ratios(to *way, q float64) []float64 {
	values := w.quantiles(q)
	for i, other := range to.quantiles(q) {
		values[i] /= other
	}
	return values
}

// relay is the least between a sender and a target: it checks the HMAC, stores the
// event if it has a Redis, answers, and passes the event on.
type relay struct {
	store  *bare // nil: nothing is stored
	client http.RoundTripper
	target string
}

// newRelay needs the address of the target, and has the URL of Redis if it is to store.
func newRelay(ctx context.Context, args []string) (http.Handler, error) {
	if len(args) != 1 && len(args) != 2 {
		return nil, errors.New("relay needs the address of a target, and the URL of Redis if it is to store")
	}
	r := &relay{client: &http.Transport{MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256}, target: "http://" + args[0] + "/"}
	if len(args) == 2 {
		handler, err := newBare(ctx, args[1:])
		if err != nil {
			return nil, err
		}
		r.store = handler.(*bare)
	}
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, ok := verifiedBody(w, request)
	if !ok {
		return
	}
	if r.store != nil {
		if err := r.store.store(request.Context(), request.Header.Get("X-GitHub-Delivery"), body); err != nil {
			http.Error(w, "the event could not be stored", http.StatusServiceUnavailable)
			return
		}
	}
	go r.passOn(context.WithoutCancel(request.Context()), request.Header.Clone(), body)
	w.WriteHeader(http.StatusOK)
}

// passOn makes one attempt: what fails is missed by the sender, who is the target.
func (r *relay) passOn(ctx context.Context, header http.Header, body []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.target, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header = header
	response, err := r.client.RoundTrip(request)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}
