package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// fieldOwner is by whom fields are set that this program sets. It does not begin
// with "kubectl": Flux takes what kubectl has set for a mistake, and takes it back
// (fluxcd.io/flux/faq, "Why are kubectl edits rolled back by Flux?").
const fieldOwner = "sallyport-hooks"

type pauseOptions struct {
	wait    bool
	timeout time.Duration
}

func (a *app) pauseCommand() *cobra.Command {
	return a.switchCommand(true, &cobra.Command{
		Use:   "pause ENDPOINT",
		Short: "Hold all deliveries of an endpoint: events are accepted and kept",
		Long: `Hold all deliveries of an endpoint: set spec.paused. Events are accepted and kept
meanwhile, and delivered after resume; that spends no attempts, and an event grows no
older by it. With delivery.mode Sync, where nothing is kept, the sender gets 503.`,
		Example: `kubectl hooks pause stripe
kubectl hooks pause billing/stripe --wait=false`,
	})
}

func (a *app) resumeCommand() *cobra.Command {
	return a.switchCommand(false, &cobra.Command{
		Use:     "resume ENDPOINT",
		Short:   "Deliver again what a paused endpoint has kept, and what comes",
		Long:    `Deliver again what a paused endpoint has kept, and what comes: unset spec.paused.`,
		Example: `kubectl hooks resume stripe`,
	})
}

// switchCommand is what pause and resume have in common.
func (a *app) switchCommand(paused bool, cmd *cobra.Command) *cobra.Command {
	var o pauseOptions
	cmd.Args = arguments(1, 1, "one ENDPOINT")
	cmd.ValidArgsFunction = a.completeEndpoint
	cmd.RunE = runE(func(ctx context.Context, args []string) error { return a.setPaused(ctx, args[0], paused, &o) })
	cmd.Flags().BoolVar(&o.wait, "wait", true, "wait until all receivers know of it")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait; the change stays all the same")
	return cmd
}

func (a *app) setPaused(ctx context.Context, argument string, paused bool, o *pauseOptions) error {
	endpoint, err := a.endpoint(ctx, argument)
	if err != nil {
		return err
	}
	name, word := fullName(endpoint.Namespace, endpoint.Name), "resumed"
	if paused {
		word = "paused"
	}
	if endpoint.Spec.Paused == paused {
		already := "is paused already"
		if !paused {
			already = "is not paused"
		}
		a.printf("webhookendpoint %s %s\n", name, already)
		return nil
	}
	// Read before the change: what this program sets, it owns afterwards.
	warning := gitOpsWarning(endpoint, paused)
	before := endpoint.DeepCopy()
	endpoint.Spec.Paused = paused
	if err := a.client.Patch(ctx, endpoint, client.MergeFrom(before), client.FieldOwner(fieldOwner)); err != nil {
		return err
	}
	a.printf("webhookendpoint %s %s\n", name, word)
	if warning != "" {
		a.sayf("Warning: %s", warning)
	}
	if o.wait {
		a.awaitProgrammed(ctx, endpoint, o.timeout)
	}
	a.sayf("%s", meanwhile(endpoint, a.name))
	return nil
}

// awaitProgrammed waits until all receivers serve the endpoint as it is now. That
// it takes long is no failure: the change is made.
func (a *app) awaitProgrammed(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint, timeout time.Duration) {
	waiting, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	generation := endpoint.Generation
	err := await(waiting, a.client, endpoint, &v1alpha1.WebhookEndpointList{}, func(now *v1alpha1.WebhookEndpoint) (bool, error) {
		condition := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionProgrammed)
		*endpoint = *now
		return condition != nil && condition.Status == "True" && condition.ObservedGeneration >= generation, nil
	})
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		a.sayf("Warning: not all receivers know of it yet: kubectl describe webhookendpoint %s --namespace %s says why.", endpoint.Name, endpoint.Namespace)
	default:
		a.sayf("Warning: whether the receivers know of it can't be seen: %v", err)
	}
}

// meanwhile says what happens to events from now on.
func meanwhile(endpoint *v1alpha1.WebhookEndpoint, program string) string {
	sync := endpoint.Spec.Delivery != nil && endpoint.Spec.Delivery.Mode == v1alpha1.DeliveryModeSync
	name := fullName(endpoint.Namespace, endpoint.Name)
	switch {
	case !endpoint.Spec.Paused && sync:
		return "Events are handed to the target again."
	case !endpoint.Spec.Paused:
		return "What was kept is delivered now, beside what comes: " + program + " stats " + name + " shows how much is left."
	case sync:
		return "Senders get 503 until " + program + " resume " + name + ": with delivery.mode Sync nothing is kept, so they have to send again."
	}
	return "Events are accepted and kept, and nothing is delivered until " + program + " resume " + name + ". They grow no older by it."
}
