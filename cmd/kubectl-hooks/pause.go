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

// fieldOwner is the owner of the fields that this program sets. It does not begin
// with "kubectl": Flux takes what kubectl has set for a mistake, and takes it back
// (fluxcd.io/flux/faq, "Why are kubectl edits rolled back by Flux?").
const fieldOwner = "sallyport-hooks"

// pauseCommand is pause or resume.
type pauseCommand struct {
	*app
	paused  bool // what spec.paused becomes
	wait    bool
	timeout time.Duration
}

func newPauseCommand(a *app) *cobra.Command {
	return (&pauseCommand{app: a, paused: true}).define(&cobra.Command{
		Use:   "pause ENDPOINT",
		Short: "Hold all deliveries of an endpoint; events are accepted all the same",
		Long: `Hold all deliveries of an endpoint: set spec.paused. Events are accepted and held
meanwhile, and delivered after resume; that spends no attempts, and an event grows no
older by it. With delivery.mode Sync, where nothing is kept, the sender gets 503.`,
		Example: `kubectl hooks pause stripe
kubectl hooks pause billing/stripe --wait=false`,
	})
}

func newResumeCommand(a *app) *cobra.Command {
	return (&pauseCommand{app: a}).define(&cobra.Command{
		Use:     "resume ENDPOINT",
		Short:   "Deliver what a paused endpoint holds, and what comes",
		Long:    `Deliver what a paused endpoint holds, and what comes: unset spec.paused.`,
		Example: `kubectl hooks resume stripe`,
	})
}

// define adds what pause and resume have in common.
func (c *pauseCommand) define(cmd *cobra.Command) *cobra.Command {
	cmd.Args = arguments(1, 1, "one ENDPOINT")
	cmd.ValidArgsFunction = c.completeEndpoint()
	cmd.RunE = runE(c.run)
	cmd.Flags().BoolVar(&c.wait, "wait", true, "wait until all receivers know of it")
	cmd.Flags().DurationVar(&c.timeout, "timeout", 30*time.Second, "how long to wait; the change stays all the same")
	return cmd
}

func (c *pauseCommand) run(ctx context.Context, args []string) error {
	endpoint, err := c.endpoint(ctx, args[0])
	if err != nil {
		return err
	}
	name, word := fullName(endpoint.Namespace, endpoint.Name), "resumed"
	if c.paused {
		word = "paused"
	}
	if endpoint.Spec.Paused == c.paused {
		already := "is paused already"
		if !c.paused {
			already = "is not paused"
		}
		c.printf("webhookendpoint %s %s\n", name, already)
		return nil
	}
	// Read before the change: what this program sets, it owns afterwards.
	warning := gitOpsWarning(endpoint, c.paused)
	before := endpoint.DeepCopy()
	endpoint.Spec.Paused = c.paused
	if err := c.client.Patch(ctx, endpoint, client.MergeFrom(before), client.FieldOwner(fieldOwner)); err != nil {
		return err
	}
	c.printf("webhookendpoint %s %s\n", name, word)
	if warning != "" {
		c.sayf("Warning: %s", warning)
	}
	if c.wait {
		c.awaitProgrammed(ctx, endpoint)
	}
	c.sayf("%s", meanwhile(endpoint, c.name))
	return nil
}

// awaitProgrammed waits until all receivers serve the endpoint as it is now. If that
// takes too long, it warns and does not fail: the change is made.
func (c *pauseCommand) awaitProgrammed(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint) {
	waiting, stop := context.WithTimeout(ctx, c.timeout)
	defer stop()
	generation := endpoint.Generation
	err := await(waiting, c.client, endpoint, &v1alpha1.WebhookEndpointList{}, func(now *v1alpha1.WebhookEndpoint) (bool, error) {
		condition := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionProgrammed)
		*endpoint = *now
		return condition != nil && condition.Status == "True" && condition.ObservedGeneration >= generation, nil
	})
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		c.sayf("Warning: not all receivers know of it yet: kubectl describe webhookendpoint %s --namespace %s says why.", endpoint.Name, endpoint.Namespace)
	default:
		c.sayf("Warning: whether the receivers know of it can't be seen: %v", err)
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
		return "What was held is delivered now, beside what comes: " + program + " stats " + name + " shows how much is left."
	case sync:
		return "Senders get 503 until " + program + " resume " + name + ": with delivery.mode Sync nothing is kept, so they have to send again."
	}
	return "Events are accepted and held, and nothing is delivered until " + program + " resume " + name + ". They grow no older by it."
}
