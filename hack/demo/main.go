package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends this process at once
	d := &demo{out: newPrinter(os.Stdout)}
	err := d.run(ctx, os.Getenv("DEMO") == "once")
	interrupted := ctx.Err() != nil
	if err != nil && !interrupted {
		err = d.withLogs(err) // before the programs log how they end
	}
	stopErr := d.stop()
	switch {
	case interrupted && stopErr == nil:
		d.out.line("\nInterrupted. Everything was stopped.")
	case interrupted:
		d.out.failure(stopErr)
		os.Exit(1)
	case err != nil || stopErr != nil:
		d.out.failure(errors.Join(err, stopErr))
		os.Exit(1)
	}
}

// run is the demo from beginning to end; stop ends what it started.
func (d *demo) run(ctx context.Context, once bool) error {
	for _, step := range []func(context.Context) error{d.start, d.applySamples, d.showAll, d.showEvents} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if once {
		return d.finish(ctx)
	}
	if err := d.printCommands(ctx); err != nil {
		return err
	}
	return d.follow(ctx)
}

// finish ends the receiver, after which nothing more can reach the target, and
// checks that nothing has.
func (d *demo) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := d.receiver.Stop(ctx); err != nil {
		return err
	}
	if got := len(d.target.Requests.All()); got != d.deliveries {
		return fmt.Errorf("the target has had %d requests in the end, expected %d", got, d.deliveries)
	}
	d.out.line("All as expected, after %s.", d.out.elapsed())
	return nil
}

// logTail is how many lines of each log are shown after a failure.
const logTail = 12

// withLogs adds the ends of the programs' logs to an error.
func (d *demo) withLogs(err error) error {
	for _, process := range d.programs() {
		err = fmt.Errorf("%w\n\nthe last lines of the log of the %s:\n%s", err, process.Name, process.Tail(logTail))
	}
	return err
}
