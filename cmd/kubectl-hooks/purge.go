package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/printers"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// purgeAtATime is how many dead letters are removed at a time.
const purgeAtATime = 8

type purgeCommand struct {
	*app
	olderThan string
	types     []string
	all       bool
	yes       bool
	dryRun    bool
}

func newPurgeCommand(a *app) *cobra.Command {
	c := &purgeCommand{app: a}
	cmd := &cobra.Command{
		Use:   "purge ENDPOINT [EVENT...]",
		Short: "Remove dead letters of an endpoint for good",
		Long: `Remove dead letters of an endpoint for good: those of the events that are named,
those that fit the flags, or --all. They can't be delivered again after that, unless
the provider sends them again.

It asks first, and without a terminal to ask at it needs --yes.`,
		Example: `kubectl hooks purge stripe evt_1MqqbKLt4dXK03v5qaIbiNCC
kubectl hooks purge stripe --older-than 30d --yes
kubectl hooks purge stripe --type 'test.*'`,
		Args:              arguments(1, -1, "an ENDPOINT"),
		ValidArgsFunction: a.completeEndpointThenDead(),
		RunE:              runE(c.run),
	}
	a.typeFlag(cmd, &c.types)
	flags := cmd.Flags()
	flags.StringVar(&c.olderThan, "older-than", "", "only what was given up that `long` ago or longer, for example 12h or 30d")
	flags.BoolVar(&c.all, "all", false, "all dead letters of the endpoint")
	flags.BoolVarP(&c.yes, "yes", "y", false, "don't ask")
	flags.BoolVar(&c.dryRun, "dry-run", false, "only say what would be removed")
	return cmd
}

func (c *purgeCommand) run(ctx context.Context, args []string) error {
	endpoint, events := args[0], args[1:]
	keep, err := c.selection(events)
	if err != nil {
		return err
	}
	s, err := c.scopeOf(ctx, []string{endpoint}, false)
	if err != nil {
		return err
	}
	list, err := c.listDead(ctx, s, c.types, keep)
	if err != nil {
		return err
	}
	if missing := missingEvents(events, list); len(missing) > 0 {
		return fmt.Errorf("there is no dead letter of %s %s: %s dead %s/%s lists those that are there, and nothing was removed",
			human.OneLine(strings.Join(missing, ", ")), s, c.name, s.namespace, s.endpoint)
	}
	if len(list.Items) == 0 {
		c.sayf("There are no such dead letters %s.", s)
		return nil
	}
	var letters int64
	for i := range list.Items {
		letters += int64(len(deadDeliveries(&list.Items[i])))
	}
	what := fmt.Sprintf("%s (of %s) %s", human.Count(letters, "dead letter"), human.Count(int64(len(list.Items)), "event"), s)
	if c.dryRun {
		c.printf("%s would be removed\n", what)
		return nil
	}
	if err := c.confirm(ctx, "Remove "+what+" for good?"); err != nil {
		return err
	}
	return c.removeAll(ctx, list.Items)
}

// selection says which dead letters are meant.
func (c *purgeCommand) selection(events []string) (func(*eventsv1alpha1.WebhookEvent) bool, error) {
	if len(events)+len(c.types) == 0 && c.olderThan == "" && !c.all {
		return nil, cli.Usagef("say which dead letters to remove: name EVENTs, or give --older-than, --type or --all")
	}
	if len(events) > 0 && c.all {
		return nil, cli.Usagef("--all is for all dead letters: leave it out, or the EVENTs")
	}
	fits, err := typeFilter(c.types)
	if err != nil {
		return nil, err
	}
	before := c.now()
	if c.olderThan != "" {
		older, err := parseAge("--older-than", c.olderThan)
		if err != nil {
			return nil, err
		}
		before = before.Add(-older)
	}
	return func(e *eventsv1alpha1.WebhookEvent) bool {
		named := len(events) == 0 || slices.Contains(events, e.Spec.EventID) || slices.Contains(events, e.Name)
		return named && fits(e) && (c.olderThan == "" || allDeadLetteredBefore(e, before))
	}, nil
}

// allDeadLetteredBefore reports whether all dead letters of an event are that old.
// They are removed together.
func allDeadLetteredBefore(e *eventsv1alpha1.WebhookEvent, before time.Time) bool {
	return !slices.ContainsFunc(deadDeliveries(e), func(d eventsv1alpha1.DeliveryStatus) bool {
		return d.DeadLetteredTime == nil || d.DeadLetteredTime.After(before)
	})
}

// missingEvents are EVENT arguments that nothing was found for.
func missingEvents(arguments []string, list *eventsv1alpha1.WebhookEventList) []string {
	return slices.DeleteFunc(slices.Clone(arguments), func(argument string) bool {
		return slices.ContainsFunc(list.Items, func(e eventsv1alpha1.WebhookEvent) bool {
			return e.Spec.EventID == argument || e.Name == argument
		})
	})
}

// confirm asks whoever sits at the terminal.
func (c *purgeCommand) confirm(ctx context.Context, question string) error {
	if c.yes {
		return nil
	}
	if !printers.IsTerminal(c.In) {
		return cli.Usagef("%s There is no terminal to ask at: give --yes", question)
	}
	_, _ = fmt.Fprintf(c.ErrOut, "%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.In).ReadString('\n') // what ends early is no yes
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
	case <-ctx.Done(): // Ctrl-C
	}
	return errors.New("nothing was removed")
}

// removeAll removes the dead letters of events, and tells how many.
func (c *purgeCommand) removeAll(ctx context.Context, events []eventsv1alpha1.WebhookEvent) error {
	results := make([]error, len(events))
	var removing sync.WaitGroup
	tickets := make(chan struct{}, purgeAtATime)
	for i := range events {
		tickets <- struct{}{}
		removing.Go(func() {
			defer func() { <-tickets }()
			results[i] = c.remove(ctx, &events[i])
		})
	}
	removing.Wait()
	var removed, gone int64
	var left, failed []error
	for i, err := range results {
		switch {
		case err == nil:
			removed++
		case apierrors.IsNotFound(err) && !isMissingAPI(err):
			gone++
		case apierrors.IsConflict(err):
			left = append(left, fmt.Errorf("%s: %w", human.OneLine(events[i].Spec.EventID), err))
		default:
			failed = append(failed, err)
		}
	}
	c.printf("Removed the dead letters of %s.\n", human.Count(removed, "event"))
	if gone > 0 {
		c.sayf("Of %s there was nothing left to remove.", human.Count(gone, "event"))
	}
	for _, err := range left {
		c.sayf("Left as it is: %v", err)
	}
	if len(failed) > 0 {
		return fmt.Errorf("the dead letters of %s could not be removed; the first error is: %w", human.Count(int64(len(failed)), "event"), explain(failed[0]))
	}
	return nil
}

// remove removes the dead letters of an event. The server refuses if another delivery
// of the event is not done.
func (c *purgeCommand) remove(ctx context.Context, event *eventsv1alpha1.WebhookEvent) error {
	fresh := &eventsv1alpha1.WebhookEvent{}
	fresh.Namespace, fresh.Name = event.Namespace, event.Name
	return c.client.Delete(ctx, fresh)
}
