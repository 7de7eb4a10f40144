package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/cli-runtime/pkg/printers"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/tail"
	"sallyport.dev/sallyport/receiver/audit"
)

// defaultSinceLines is how many records of the past are shown first.
const defaultSinceLines = 10

// The values of --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

var colorModes = []string{colorAuto, colorAlways, colorNever}

type tailCommand struct {
	*app
	output
	all        bool
	statuses   []string
	sinceLines int
	color      string
}

// statusNames are the outcomes that records tell of.
var statusNames = []string{
	string(audit.Accepted), string(audit.Duplicate), string(audit.Rejected), string(audit.Handshake), string(audit.Ignored),
	string(audit.Unavailable), string(audit.Delivered), string(audit.RetryScheduled), string(audit.DeadLettered), string(audit.Replayed),
	string(audit.Purged), string(audit.Expired),
}

func newTailCommand(a *app) *cobra.Command {
	c := &tailCommand{app: a}
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
		ValidArgsFunction: a.completeEndpoint(),
		RunE:              runE(c.run),
	}
	scopeFlag(cmd, &c.all)
	cmd.Flags().StringSliceVar(&c.statuses, "status", nil, "only these `outcomes`, for example delivered or rejected; several may be given")
	mustComplete(cmd, "status", cobra.FixedCompletions(statusNames, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().IntVar(&c.sinceLines, "since-lines", defaultSinceLines, "show so many `records` of the past first")
	cmd.Flags().StringVar(&c.color, "color", colorAuto, "`when` to colour the outcomes: always, never, or auto: on a terminal, unless NO_COLOR is set")
	mustComplete(cmd, "color", cobra.FixedCompletions(colorModes, cobra.ShellCompDirectiveNoFileComp))
	c.addFlags(cmd, false)
	return cmd
}

func (c *tailCommand) run(ctx context.Context, args []string) error {
	if err := c.check(); err != nil {
		return err
	}
	s, err := c.scopeOf(ctx, args, c.all)
	if err != nil {
		return err
	}
	var selectors fields.Set
	if len(c.statuses) == 1 { // more than one is for Keep
		selectors = with(selectors, fieldRecordStatus, c.statuses[0])
	}
	if !s.several() {
		selectors = with(selectors, fieldRecordEndpoint, s.endpoint)
	}
	color := c.color == colorAlways || c.color == colorAuto && printers.AllowsColorOutput(c.Out)
	lines := &tail.Lines{W: c.Out, Color: color, Namespaces: s.namespace == "", Endpoints: s.several()}
	show := lines.Print
	if c.printer != nil {
		show = func(r *eventsv1alpha1.WebhookRecord) error { return c.object(c.Out, r) }
	}
	follower := &tail.Follower{
		Client: c.client, Namespace: s.namespace, Selectors: selectors, Past: c.sinceLines, Show: show, Final: isFinal,
		Keep: func(r *eventsv1alpha1.WebhookRecord) bool {
			return len(c.statuses) == 0 || slices.Contains(c.statuses, r.ProcessingStatus)
		},
		Interrupted: func(err error) {
			c.sayf("The watch is interrupted until the server answers again: %v", explain(err))
		},
	}
	if err := follower.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil // Ctrl-C is how it ends
}

func (c *tailCommand) check() error {
	if c.sinceLines < 0 {
		return cli.Usagef("--since-lines=%d is no number of records: write 0 or more", c.sinceLines)
	}
	if !slices.Contains(colorModes, c.color) {
		return cli.Usagef("--color=%s is not known: write auto, always or never", c.color)
	}
	for _, status := range c.statuses {
		if !slices.Contains(statusNames, status) {
			if near := closeTo(status, statusNames); len(near) > 0 {
				return cli.Usagef("--status=%s is no outcome: did you mean %s?", status, near[0])
			}
			return cli.Usagef("--status=%s is no outcome: completion, or --help of tail, lists them", status)
		}
	}
	return nil
}
