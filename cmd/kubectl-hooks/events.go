package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// defaultEvents is how many events are shown.
const defaultEvents = 50

type eventsCommand struct {
	*app
	output
	all   bool
	limit int
	types []string
	state string
}

func newEventsCommand(a *app) *cobra.Command {
	c := &eventsCommand{app: a}
	cmd := &cobra.Command{
		Use:   "events [ENDPOINT]",
		Short: "List the events that an endpoint received last, and what has become of them",
		Long: `List the events that an endpoint received last, the newest first, and what has
become of them. Without an ENDPOINT, those of all endpoints of the namespace.

How far back that goes is bounded. Dead letters are all there: see dead.`,
		Example: `kubectl hooks events stripe
kubectl hooks events billing/stripe --type 'invoice.*' --limit 10
kubectl hooks events stripe --state Retrying -o wide`,
		Args:              arguments(0, 1, "an ENDPOINT"),
		ValidArgsFunction: a.completeEndpoint(),
		RunE:              runE(c.run),
	}
	scopeFlag(cmd, &c.all)
	a.typeFlag(cmd, &c.types)
	cmd.Flags().IntVar(&c.limit, "limit", defaultEvents, "at most so many `events`; 0: all that are known")
	cmd.Flags().StringVar(&c.state, "state", "", "only events in this `state`: "+strings.Join(stateNames, ", "))
	mustComplete(cmd, "state", cobra.FixedCompletions(stateNames, cobra.ShellCompDirectiveNoFileComp))
	c.addFlags(cmd, true)
	return cmd
}

func (c *eventsCommand) run(ctx context.Context, args []string) error {
	selectors, keep, err := c.selection()
	if err != nil {
		return err
	}
	s, err := c.scopeOf(ctx, args, c.all)
	if err != nil {
		return err
	}
	list, err := c.listEvents(ctx, s, selectors, keep)
	if err != nil {
		return err
	}
	if c.limit > 0 && len(list.Items) > c.limit {
		list.Items = list.Items[:c.limit]
	}
	if c.printer != nil {
		return c.object(c.Out, list)
	}
	if len(list.Items) == 0 {
		c.sayf("There are no such events %s.", s)
		return nil
	}
	return c.table(c.Out, c.eventTable(s, list))
}

// selection says which events --state and --type choose: by selectors of the server,
// and by keep.
func (c *eventsCommand) selection() (selectors fields.Set, keep func(*eventsv1alpha1.WebhookEvent) bool, err error) {
	if c.limit < 0 {
		return nil, nil, cli.Usagef("--limit=%d is no number of events: write 1 or more, or 0 for all", c.limit)
	}
	if c.state != "" {
		state, err := stateOf(c.state)
		if err != nil {
			return nil, nil, err
		}
		selectors = fields.Set{fieldEventState: state}
	}
	keep, err = typeFilter(c.types)
	return selectType(selectors, c.types), keep, err
}

// eventTable has a row for each event.
func (c *eventsCommand) eventTable(s scope, list *eventsv1alpha1.WebhookEventList) *table {
	t := &table{columns: columns(s.columns("EVENT", "TYPE", "STATE", "RECEIVED", "ATTEMPTS", "+SIZE", "+SOURCE", "+NAME", "LAST ERROR")...)}
	for i := range list.Items {
		e := &list.Items[i]
		attempts, lastError := summary(e.Status.Deliveries)
		t.add(s.cells(e.Namespace, e.Spec.Endpoint, e.Spec.EventID, human.OrNone(e.Spec.Type), string(e.Status.State), human.Age(c.now(), e.Spec.ReceivedTime.Time),
			attempts, human.Size(e.Spec.BodyBytes), human.OrNone(e.Spec.SourceIP), e.Name, human.OrNone(lastError))...)
	}
	return t
}

// summary is the most attempts of any delivery that is not done, and its last error.
func summary(deliveries []eventsv1alpha1.DeliveryStatus) (attempts any, lastError string) {
	attempts, most := any(human.None), int32(-1)
	for i := range deliveries {
		if d := &deliveries[i]; d.Attempts > most {
			most, attempts, lastError = d.Attempts, d.Attempts, d.LastError
		}
	}
	return attempts, lastError
}
