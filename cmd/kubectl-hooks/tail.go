package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/cli-runtime/pkg/printers"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver/audit"
)

// defaultSinceLines is how many records of the past are shown first.
const defaultSinceLines = 10

type tailOptions struct {
	output
	all        bool
	statuses   []string
	sinceLines int
}

// statusNames are the outcomes that records tell of.
var statusNames = []string{
	string(audit.Accepted), string(audit.Duplicate), string(audit.Rejected), string(audit.Handshake), string(audit.Ignored),
	string(audit.Unavailable), string(audit.Delivered), string(audit.RetryScheduled), string(audit.DeadLettered), string(audit.Replayed),
	string(audit.Purged), string(audit.Expired),
}

func (a *app) tailCommand() *cobra.Command {
	var o tailOptions
	cmd := &cobra.Command{
		Use:   "tail [ENDPOINT]",
		Short: "Watch what happens: one line for each outcome of a request or a delivery",
		Long: `Watch what happens: one line for each outcome of a request or a delivery, after the
last ones of the past. Without an ENDPOINT, of all endpoints of the namespace. It
goes on until Ctrl-C.

A line has the time, the endpoint, the outcome, the type and the id of the event, the
attempt (#2: the second), the status code, how long it took, and why.`,
		Example: `kubectl hooks tail stripe
kubectl hooks tail -A --status rejected --status dead_lettered
kubectl hooks tail stripe --since-lines 0 -o json`,
		Args:              arguments(0, 1, "an ENDPOINT"),
		ValidArgsFunction: a.completeEndpoint,
		RunE:              runE(func(ctx context.Context, args []string) error { return a.tail(ctx, args, &o) }),
	}
	scopeFlag(cmd, &o.all)
	cmd.Flags().StringSliceVar(&o.statuses, "status", nil, "only these `outcomes`, for example delivered or rejected; several may be given")
	mustComplete(cmd, "status", cobra.FixedCompletions(statusNames, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().IntVar(&o.sinceLines, "since-lines", defaultSinceLines, "show so many `records` of the past first")
	o.addFlags(cmd, false)
	return cmd
}

func (a *app) tail(ctx context.Context, args []string, o *tailOptions) error {
	selectors, err := o.selectors()
	if err != nil {
		return err
	}
	s, err := a.scopeOf(ctx, args, o.all)
	if err != nil {
		return err
	}
	show := a.linePrinter(s)
	if o.printer != nil {
		show = func(r *eventsv1alpha1.WebhookRecord) error { return o.object(a.Out, r) }
	}
	f := &follower{app: a, scope: s, selectors: selectors, show: show, keep: func(r *eventsv1alpha1.WebhookRecord) bool {
		return len(o.statuses) == 0 || slices.Contains(o.statuses, r.ProcessingStatus)
	}}
	if err := f.run(ctx, o.sinceLines); ctx.Err() == nil {
		return err
	}
	return nil // Ctrl-C is how it ends
}

// selectors are what the server can choose by: one status.
func (o *tailOptions) selectors() (fields.Set, error) {
	if o.sinceLines < 0 {
		return nil, cli.Usagef("--since-lines=%d is no number of records: write 0 or more", o.sinceLines)
	}
	for _, status := range o.statuses {
		if !slices.Contains(statusNames, status) {
			if near := closeTo(status, statusNames); len(near) > 0 {
				return nil, cli.Usagef("--status=%s is no outcome: did you mean %s?", status, near[0])
			}
			return nil, cli.Usagef("--status=%s is no outcome: completion, or --help of tail, lists them", status)
		}
	}
	if len(o.statuses) == 1 {
		return fields.Set{fieldRecordStatus: o.statuses[0]}, nil
	}
	return nil, nil
}

// linePrinter prints records in aligned lines, in colours on a terminal.
func (a *app) linePrinter(s scope) func(*eventsv1alpha1.WebhookRecord) error {
	l := &lines{w: a.Out, color: printers.AllowsColorOutput(a.Out), namespaces: s.namespace == "", endpoints: s.several()}
	return l.print
}
