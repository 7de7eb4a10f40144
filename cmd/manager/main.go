// Command manager is the control plane of Sallyport: it turns WebhookEndpoints
// into the routes that receivers serve.
package main

import (
	"context"
	"os"

	"sallyport.dev/sallyport/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(run)) }

// run is the whole program, less the process that it runs in.
func run(ctx context.Context, env cli.Env) error {
	o, err := parseFlags(env)
	if err != nil {
		return err
	}
	config, err := cli.RestConfig(o.kubeconfig)
	if err != nil {
		return err
	}
	mgr, err := newManager(o, config, env.Logger(o.logLevel)) //nolint:contextcheck // indexes are registered before there is anything to cancel
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}
