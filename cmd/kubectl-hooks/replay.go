package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// maxReplayIDs is how many event ids a WebhookReplay takes.
const maxReplayIDs = 1000

// The values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

type replayCommand struct {
	*app
	output
	since, until string
	types        []string
	limit        int64
	noWait       bool
	timeout      time.Duration
	dryRun       string
}

func newReplayCommand(a *app) *cobra.Command {
	c := &replayCommand{app: a}
	cmd := &cobra.Command{
		Use:   "replay ENDPOINT [EVENT...]",
		Short: "Deliver dead letters of an endpoint again",
		Long: `Deliver dead letters of an endpoint again: all of them, those of the events that
are named, or those that fit the flags. It creates a WebhookReplay, which runs once,
and waits until everything is handed to the receivers. What the targets answer comes
after that: tail shows it, and what fails again is a dead letter again.`,
		Example: `kubectl hooks replay stripe
kubectl hooks replay stripe evt_1MqqbKLt4dXK03v5qaIbiNCC
kubectl hooks replay stripe --since 2h --type 'invoice.*' --limit 100
kubectl hooks replay stripe --since 1d --dry-run=client -o yaml`,
		Args:              arguments(1, -1, "an ENDPOINT"),
		ValidArgsFunction: a.completeEndpointThenDead(),
		RunE:              runE(c.run),
	}
	a.typeFlag(cmd, &c.types)
	flags := cmd.Flags()
	flags.StringVar(&c.since, "since", "", "only events that were received at or after that `time`: how long ago (2h, 3d), or RFC 3339")
	flags.StringVar(&c.until, "until", "", "only events that were received before that `time`")
	flags.Int64Var(&c.limit, "limit", 0, "at most so many `deliveries`; 0: all")
	wait := true
	flags.BoolVar(&wait, "wait", true, "wait until everything is handed over")
	flags.BoolVar(&c.noWait, "no-wait", false, "create the WebhookReplay, and wait for nothing")
	flags.DurationVar(&c.timeout, "timeout", 10*time.Minute, "how long to wait; the replay goes on all the same")
	flags.StringVar(&c.dryRun, "dry-run", dryRunNone, "`where` to try it without doing anything: client (here) or server")
	flags.Lookup("dry-run").NoOptDefVal = dryRunClient
	mustComplete(cmd, "dry-run", cobra.FixedCompletions([]string{dryRunNone, dryRunClient, dryRunServer}, cobra.ShellCompDirectiveNoFileComp))
	c.addFlags(cmd, false)
	read := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		c.noWait = c.noWait || !wait
		return read(cmd, args)
	}
	return cmd
}

func (c *replayCommand) run(ctx context.Context, args []string) error {
	if !slices.Contains([]string{dryRunNone, dryRunClient, dryRunServer}, c.dryRun) {
		return cli.Usagef("--dry-run=%s is not known: write client or server", c.dryRun)
	}
	selector, err := c.selector(args[1:])
	if err != nil {
		return err
	}
	key, err := c.checkEndpoint(ctx, args[0])
	if err != nil {
		return err
	}
	if selector != nil {
		if selector.EventIDs, err = c.eventIDs(ctx, selector.EventIDs, scope{namespace: key.Namespace, endpoint: key.Name}); err != nil {
			return err
		}
	}
	replay := newReplay(key, selector)
	if err := c.createReplay(ctx, replay); err != nil {
		return err
	}
	if c.dryRun != dryRunNone || c.noWait {
		return c.sayCreated(replay)
	}
	if c.printer == nil {
		c.sayf("Created webhookreplay %s in the namespace %s.", replay.Name, replay.Namespace)
	}
	if err := c.awaitReplay(ctx, replay); err != nil {
		return err
	}
	return c.sayReplayed(replay)
}

// selector is what the arguments and flags select; nil: everything.
func (c *replayCommand) selector(events []string) (*v1alpha1.ReplaySelector, error) {
	if len(events) > maxReplayIDs {
		return nil, cli.Usagef("%d events are too many for one replay: name at most %d, or use --since, --until and --type", len(events), maxReplayIDs)
	}
	if c.limit < 0 {
		return nil, cli.Usagef("--limit=%d is no number of deliveries: write 1 or more, or 0 for all", c.limit)
	}
	if _, err := typeFilter(c.types); err != nil {
		return nil, err
	}
	s := &v1alpha1.ReplaySelector{State: v1alpha1.ReplayDeadLettered, Types: c.types, EventIDs: unique(events)}
	for _, bound := range []struct {
		flag, text string
		at         **metav1.Time
	}{{"--since", c.since, &s.Since}, {"--until", c.until, &s.Until}} {
		if bound.text == "" {
			continue
		}
		at, err := parseMoment(bound.flag, bound.text, c.now())
		if err != nil {
			return nil, err
		}
		*bound.at = &metav1.Time{Time: at.UTC().Truncate(time.Second)}
	}
	if s.Since != nil && s.Until != nil && !s.Since.Before(s.Until) {
		return nil, cli.Usagef("--since=%s is not before --until=%s", c.since, c.until)
	}
	if c.limit > 0 {
		s.Limit = &c.limit
	}
	if len(events)+len(c.types) == 0 && s.Since == nil && s.Until == nil && s.Limit == nil {
		return nil, nil
	}
	return s, nil
}

// unique drops what occurs again.
func unique(texts []string) []string {
	var once []string
	for _, text := range texts {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return once
}

func newReplay(endpoint types.NamespacedName, selector *v1alpha1.ReplaySelector) *v1alpha1.WebhookReplay {
	return &v1alpha1.WebhookReplay{
		ObjectMeta: metav1.ObjectMeta{Namespace: endpoint.Namespace, GenerateName: endpoint.Name + "-"},
		Spec:       v1alpha1.WebhookReplaySpec{EndpointRef: v1alpha1.EndpointReference{Name: endpoint.Name}, Selector: selector},
	}
}

func (c *replayCommand) createReplay(ctx context.Context, replay *v1alpha1.WebhookReplay) error {
	options := []client.CreateOption{client.FieldOwner(fieldOwner), client.FieldValidation(metav1.FieldValidationStrict)}
	switch c.dryRun {
	case dryRunClient:
		return nil
	case dryRunServer:
		options = append(options, client.DryRunAll)
	}
	return c.client.Create(ctx, replay, options...)
}

// sayCreated prints a replay that nobody waits for.
func (c *replayCommand) sayCreated(replay *v1alpha1.WebhookReplay) error {
	switch {
	case c.printer != nil:
		return c.object(c.Out, replay)
	case c.dryRun == dryRunClient:
		c.printf("webhookreplay %s... would be created in the namespace %s (dry run)\n", replay.GenerateName, replay.Namespace)
	case c.dryRun == dryRunServer:
		c.printf("webhookreplay %s would be created in the namespace %s (server dry run)\n", replay.Name, replay.Namespace)
	default:
		c.printf("webhookreplay %s created in the namespace %s\n", replay.Name, replay.Namespace)
	}
	return nil
}

// awaitReplay waits until a replay is over, and says meanwhile how far it is.
func (c *replayCommand) awaitReplay(ctx context.Context, replay *v1alpha1.WebhookReplay) error {
	waiting, stop := context.WithTimeout(ctx, c.timeout)
	defer stop()
	var said string
	err := await(waiting, c.client, replay, &v1alpha1.WebhookReplayList{}, func(now *v1alpha1.WebhookReplay) (bool, error) {
		*replay = *now
		if stalled := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Status == metav1.ConditionTrue {
			return false, fmt.Errorf("the replay %s can't go on: %s; it goes on by itself once that is mended", now.Name, stalled.Message)
		}
		if replayIsOver(now) {
			return true, nil
		}
		if text := progress(now); text != "" && text != said {
			said = text
			c.sayf("%s", text)
		}
		return false, nil
	})
	if waiting.Err() != nil && err != nil {
		how := fmt.Sprintf("kubectl get webhookreplay %s --namespace %s", replay.Name, replay.Namespace)
		if replay.Status.ObservedGeneration < replay.Generation && ctx.Err() == nil {
			return fmt.Errorf("nobody has looked at the replay %s for %s: is the manager running? %s shows how it is", replay.Name, c.timeout, how)
		}
		return fmt.Errorf("the replay %s is not over, and goes on without you: %s shows how it is", replay.Name, how)
	}
	return err
}

func replayIsOver(replay *v1alpha1.WebhookReplay) bool {
	return meta.IsStatusConditionTrue(replay.Status.Conditions, v1alpha1.ConditionComplete) || replay.Status.CompletionTime != nil
}

// progress is how far a replay is, in a sentence; empty: there is nothing to say yet.
func progress(replay *v1alpha1.WebhookReplay) string {
	complete := meta.FindStatusCondition(replay.Status.Conditions, v1alpha1.ConditionComplete)
	switch {
	case complete == nil:
		return ""
	case complete.Reason != v1alpha1.ReasonReplaying && complete.Message != "":
		return complete.Message
	}
	if replay.Status.Matched == 0 {
		return ""
	}
	return fmt.Sprintf("%d found, %d handed over, %d failed ...", replay.Status.Matched, replay.Status.Replayed, replay.Status.Failed)
}

// sayReplayed prints how a replay ended. It returns an error if a part failed.
func (c *replayCommand) sayReplayed(replay *v1alpha1.WebhookReplay) error {
	if c.printer != nil {
		if err := c.object(c.Out, replay); err != nil {
			return err
		}
	} else {
		c.printf("%s\n", outcome(&replay.Status))
	}
	if replay.Status.Failed > 0 {
		return fmt.Errorf("%s could not be handed over: kubectl get webhookreplay %s --namespace %s -o yaml says why",
			human.Count(replay.Status.Failed, "dead letter"), replay.Name, replay.Namespace)
	}
	if replay.Status.Replayed > 0 && c.printer == nil {
		c.sayf("What the targets answer: %s tail %s", c.name, fullName(replay.Namespace, replay.Spec.EndpointRef.Name))
	}
	return nil
}

// outcome is the result of a replay in a sentence.
func outcome(status *v1alpha1.WebhookReplayStatus) string {
	if status.Matched == 0 {
		return "There was nothing to deliver again."
	}
	text := fmt.Sprintf("%d of %s handed over to be delivered again", status.Replayed, human.Count(status.Matched, "dead letter"))
	if status.StartTime != nil && status.CompletionTime != nil {
		text += fmt.Sprintf(", in %s", max(time.Second, status.CompletionTime.Sub(status.StartTime.Time)))
	}
	return text + "."
}
