// Command receiver takes webhooks in and delivers them: the data plane of
// Sallyport.
package main

import (
	"context"
	"errors"
	"os"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver"
)

func main() { os.Exit(cli.Main(run)) }

// run is the whole program, without the process around it.
func run(ctx context.Context, env cli.Env) error {
	options, err := parseFlags(env)
	if err != nil {
		return err
	}
	err = receiver.Run(ctx, options)
	if errors.Is(err, receiver.ErrOptions) {
		return cli.Usagef("%w", err)
	}
	return err
}
