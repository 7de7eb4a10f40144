package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// applyTimeout bounds the whole run, that of compiling a control plane for the
// first time included.
const applyTimeout = 20 * time.Minute

// stepTimeout bounds one measured step: a step that takes longer has failed.
const stepTimeout = 30 * time.Second

// benchApply creates endpoints one after the other, and then edits their
// Secrets one after the other, and says how long senders have to wait for it.
func benchApply(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("apply", flag.ContinueOnError)
	endpoints := flags.Int("endpoints", 200, "how many endpoints to create")
	edits := flags.Int("edits", 100, "how many of their Secrets to edit then")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	w, err := newWorld(ctx, os.Stderr)
	if err != nil {
		return err
	}
	defer w.stop(context.WithoutCancel(ctx))

	var accepted, ready, edited []time.Duration
	for i := range *endpoints {
		a, r, err := w.measureCreate(ctx, i)
		if err != nil {
			return fmt.Errorf("create endpoint %d: %w", i, err)
		}
		accepted, ready = append(accepted, a), append(ready, r)
	}
	for i := range min(*edits, *endpoints) {
		e, err := w.measureEdit(ctx, i)
		if err != nil {
			return fmt.Errorf("edit the Secret of endpoint %d: %w", i, err)
		}
		edited = append(edited, e)
	}
	fmt.Fprintf(out, "%d endpoints created one after the other, then %d Secrets edited; %s\n\n", *endpoints, len(edited), machine())
	return printApply(out, []row{
		{"endpoint created → first webhook accepted (200)", accepted},
		{"endpoint created → Ready=True, by watch", ready},
		{"Secret edited → webhook signed with the new secret accepted", edited},
	})
}

// row is a line of the table.
type row struct {
	name   string
	values []time.Duration
}

func printApply(out io.Writer, rows []row) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "p50\tp90\tp99\tmax\t")
	for _, r := range rows {
		slices.Sort(r.values)
		for _, q := range []float64{0.5, 0.9, 0.99, 1} {
			fmt.Fprintf(table, "%s\t", milliseconds(quantile(r.values, q)))
		}
		fmt.Fprintf(table, "  %s\n", r.name)
	}
	return table.Flush()
}

// measureCreate creates the i-th endpoint and returns how long it took until
// the receiver accepted a webhook there, and until the endpoint was Ready.
func (w *world) measureCreate(ctx context.Context, i int) (accepted, ready time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if err := w.createSecret(ctx, i); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	watched := make(chan error, 1)
	go func() {
		_, err := w.cluster.AwaitReady(ctx, endpointName(i))
		ready = time.Since(began)
		watched <- err
	}()
	if err := w.createEndpoint(ctx, i); err != nil {
		return 0, 0, err
	}
	if err := w.probe(ctx, i, secretBefore); err != nil {
		return 0, 0, err
	}
	accepted = time.Since(began)
	err = <-watched
	return accepted, ready, err
}

// measureEdit changes the secret of the i-th endpoint and returns how long it
// took until the receiver accepted a webhook that is signed with the new one.
func (w *world) measureEdit(ctx context.Context, i int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	began := time.Now()
	if err := w.editSecret(ctx, i); err != nil {
		return 0, err
	}
	err := w.probe(ctx, i, secretAfter)
	return time.Since(began), err
}
