package main

import (
	"context"

	"github.com/spf13/cobra"

	"sallyport.dev/sallyport/cmd/kubectl-hooks/send"
)

func newSendCommand(a *app) *cobra.Command {
	c := &send.Command{IOStreams: a.IOStreams, Now: a.now}
	cmd := &cobra.Command{
		Use:   "send ENDPOINT",
		Short: "Send a test webhook, signed as the endpoint's provider signs",
		Long: `Send a test webhook, signed as the endpoint's provider signs, with the endpoint's own
secret. The body is one of the provider's examples, or that of --body.

The Secret is read with your own rights: you need to be allowed to get it, or to have
its value in a file (--secret-file). Providers that sign with a private key need one
whose public key is in the Secret (--private-key).

The exit code is 1 if the answer is not 2xx.`,
		Example: `kubectl hooks send stripe
kubectl hooks send billing/stripe --type invoice.paid --body invoice.json
kubectl hooks send stripe --url http://localhost:8080
jq -n '{action: "opened"}' | kubectl hooks send github --type issues --body - --show
kubectl hooks send stripe --dry-run`,
		Args:              arguments(1, 1, "one ENDPOINT"),
		ValidArgsFunction: a.completeEndpoint(),
		RunE: runE(func(ctx context.Context, args []string) (err error) {
			if c.Endpoint, err = a.endpoint(ctx, args[0]); err != nil {
				return err
			}
			if c.Provider, err = a.provider(ctx, c.Endpoint.Spec.Provider); err != nil {
				return err
			}
			c.Client = a.client
			return c.Run(ctx)
		}),
	}
	c.AddFlags(cmd.Flags())
	mustComplete(cmd, "scheme", a.completer(a.schemeCandidates))
	mustComplete(cmd, "type", a.completer(a.typeCandidates))
	return cmd
}
