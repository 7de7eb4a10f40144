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
)

// maxReplayIDs is how many event ids a WebhookReplay takes.
const maxReplayIDs = 1000

// The values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

type replayOptions struct {
	output
	since, until string
	types        []string
	limit        int64
	noWait       bool
	timeout      time.Duration
	dryRun       string
}

func (a *app) replayCommand() *cobra.Command {
	var o replayOptions
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
		ValidArgsFunction: a.completeEndpointThenDead,
		RunE:              runE(func(ctx context.Context, args []string) error { return a.replay(ctx, args[0], args[1:], &o) }),
	}
	a.typeFlag(cmd, &o.types)
	flags := cmd.Flags()
	flags.StringVar(&o.since, "since", "", "only events that were received at or after that `time`: how long ago (2h, 3d), or RFC 3339")
	flags.StringVar(&o.until, "until", "", "only events that were received before that `time`")
	flags.Int64Var(&o.limit, "limit", 0, "at most so many `deliveries`; 0: all")
	wait := true
	flags.BoolVar(&wait, "wait", true, "wait until everything is handed over")
	flags.BoolVar(&o.noWait, "no-wait", false, "create the WebhookReplay, and wait for nothing")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait; the replay goes on all the same")
	flags.StringVar(&o.dryRun, "dry-run", dryRunNone, "`where` to try it without doing anything: client (here) or server")
	flags.Lookup("dry-run").NoOptDefVal = dryRunClient
	mustComplete(cmd, "dry-run", cobra.FixedCompletions([]string{dryRunNone, dryRunClient, dryRunServer}, cobra.ShellCompDirectiveNoFileComp))
	o.addFlags(cmd, false)
	read := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		o.noWait = o.noWait || !wait
		return read(cmd, args)
	}
	return cmd
}

func (a *app) replay(ctx context.Context, endpoint string, events []string, o *replayOptions) error {
	if !slices.Contains([]string{dryRunNone, dryRunClient, dryRunServer}, o.dryRun) {
		return cli.Usagef("--dry-run=%s is not known: write client or server", o.dryRun)
	}
	selector, err := o.selector(events, a.now())
	if err != nil {
		return err
	}
	key, err := a.checkEndpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	if selector != nil {
		if selector.EventIDs, err = a.eventIDs(ctx, selector.EventIDs, scope{namespace: key.Namespace, endpoint: key.Name}); err != nil {
			return err
		}
	}
	replay := newReplay(key, selector)
	if err := a.createReplay(ctx, replay, o); err != nil {
		return err
	}
	if o.dryRun != dryRunNone || o.noWait {
		return a.sayCreated(replay, o)
	}
	if o.printer == nil {
		a.sayf("Created webhookreplay %s in the namespace %s.", replay.Name, replay.Namespace)
	}
	if err := a.awaitReplay(ctx, replay, o.timeout); err != nil {
		return err
	}
	return a.sayReplayed(replay, o)
}

// selector is what the arguments and flags select; nil: everything.
func (o *replayOptions) selector(events []string, now time.Time) (*v1alpha1.ReplaySelector, error) {
	if len(events) > maxReplayIDs {
		return nil, cli.Usagef("%d events are too many for one replay: name at most %d, or use --since, --until and --type", len(events), maxReplayIDs)
	}
	if o.limit < 0 {
		return nil, cli.Usagef("--limit=%d is no number of deliveries: write 1 or more, or 0 for all", o.limit)
	}
	if _, err := typeFilter(o.types); err != nil {
		return nil, err
	}
	s := &v1alpha1.ReplaySelector{State: v1alpha1.ReplayDeadLettered, Types: o.types, EventIDs: unique(events)}
	for _, bound := range []struct {
		flag, text string
		at         **metav1.Time
	}{{"--since", o.since, &s.Since}, {"--until", o.until, &s.Until}} {
		if bound.text == "" {
			continue
		}
		at, err := parseMoment(bound.flag, bound.text, now)
		if err != nil {
			return nil, err
		}
		*bound.at = &metav1.Time{Time: at.UTC().Truncate(time.Second)}
	}
	if s.Since != nil && s.Until != nil && !s.Since.Before(s.Until) {
		return nil, cli.Usagef("--since=%s is not before --until=%s", o.since, o.until)
	}
	if o.limit > 0 {
		s.Limit = &o.limit
	}
	if len(events)+len(o.types) == 0 && s.Since == nil && s.Until == nil && s.Limit == nil {
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

func (a *app) createReplay(ctx context.Context, replay *v1alpha1.WebhookReplay, o *replayOptions) error {
	options := []client.CreateOption{client.FieldOwner(fieldOwner), client.FieldValidation(metav1.FieldValidationStrict)}
	switch o.dryRun {
	case dryRunClient:
		return nil
	case dryRunServer:
		options = append(options, client.DryRunAll)
	}
	return a.client.Create(ctx, replay, options...)
}

// sayCreated tells of a replay that is not waited for.
func (a *app) sayCreated(replay *v1alpha1.WebhookReplay, o *replayOptions) error {
	switch {
	case o.printer != nil:
		return o.object(a.Out, replay)
	case o.dryRun == dryRunClient:
		a.printf("webhookreplay %s... would be created in the namespace %s (dry run)\n", replay.GenerateName, replay.Namespace)
	case o.dryRun == dryRunServer:
		a.printf("webhookreplay %s would be created in the namespace %s (server dry run)\n", replay.Name, replay.Namespace)
	default:
		a.printf("webhookreplay %s created in the namespace %s\n", replay.Name, replay.Namespace)
	}
	return nil
}

// awaitReplay waits until a replay is over and tells how far it is.
func (a *app) awaitReplay(ctx context.Context, replay *v1alpha1.WebhookReplay, timeout time.Duration) error {
	waiting, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	var said string
	err := await(waiting, a.client, replay, &v1alpha1.WebhookReplayList{}, func(now *v1alpha1.WebhookReplay) (bool, error) {
		*replay = *now
		if stalled := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Status == metav1.ConditionTrue {
			return false, fmt.Errorf("the replay %s can't go on: %s; it goes on by itself once that is mended", now.Name, stalled.Message)
		}
		if replayIsOver(now) {
			return true, nil
		}
		if text := progress(now); text != "" && text != said {
			said = text
			a.sayf("%s", text)
		}
		return false, nil
	})
	if waiting.Err() != nil && err != nil {
		how := fmt.Sprintf("kubectl get webhookreplay %s --namespace %s", replay.Name, replay.Namespace)
		if replay.Status.ObservedGeneration < replay.Generation && ctx.Err() == nil {
			return fmt.Errorf("nobody has looked at the replay %s for %s: is the manager running? %s shows how it is", replay.Name, timeout, how)
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

// sayReplayed tells of a replay that is over. It is an error if a part failed.
func (a *app) sayReplayed(replay *v1alpha1.WebhookReplay, o *replayOptions) error {
	if o.printer != nil {
		if err := o.object(a.Out, replay); err != nil {
			return err
		}
	} else {
		a.printf("%s\n", outcome(&replay.Status))
	}
	if replay.Status.Failed > 0 {
		return fmt.Errorf("%s could not be handed over: kubectl get webhookreplay %s --namespace %s -o yaml says why",
			count(replay.Status.Failed, "dead letter"), replay.Name, replay.Namespace)
	}
	if replay.Status.Replayed > 0 && o.printer == nil {
		a.sayf("What the targets answer: %s tail %s", a.name, fullName(replay.Namespace, replay.Spec.EndpointRef.Name))
	}
	return nil
}

// outcome is the result of a replay in a sentence.
func outcome(status *v1alpha1.WebhookReplayStatus) string {
	if status.Matched == 0 {
		return "There was nothing to deliver again."
	}
	text := fmt.Sprintf("%d of %s handed over to be delivered again", status.Replayed, count(status.Matched, "dead letter"))
	if status.StartTime != nil && status.CompletionTime != nil {
		text += fmt.Sprintf(", in %s", max(time.Second, status.CompletionTime.Sub(status.StartTime.Time)))
	}
	return text + "."
}
