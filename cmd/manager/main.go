// Command manager is the control plane of Sallyport: it turns WebhookEndpoints
// into the routes that receivers serve.
package main

import (
	"context"
	"errors"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/internal/buildinfo"
)

func main() { os.Exit(cli.Main(run)) }

// run is the whole program, without the process around it.
func run(ctx context.Context, env cli.Env) error {
	o, err := parseFlags(env)
	if err != nil {
		return err
	}
	config, err := cli.RestConfig(o.kubeconfig)
	if err != nil {
		return err
	}
	metrics.Registry.MustRegister(buildinfo.Collector())
	log := env.Logger(o.logLevel)
	events, err := openEvents(ctx, o, env, log)
	if err != nil {
		return err
	}
	mgr, err := newManager(o, config, events, log) //nolint:contextcheck // indexes are registered before there is anything to cancel
	if err == nil {
		err = mgr.Start(ctx)
	}
	return errors.Join(err, events.close())
}
