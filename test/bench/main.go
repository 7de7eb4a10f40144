// Command bench measures Sallyport on this machine:
//
//	go run ./test/bench accept     requests/s of the accept path beside a bare handler
//	go run ./test/bench apply      from `kubectl apply` to the first accepted webhook
//	go run ./test/bench scale      what ten thousand endpoints take of the control plane
//	go run ./test/bench latency    from the sender to the target, beside a bare handler
//	go run ./test/bench isolation  the same, beside targets that are dead
//	go run ./test/bench drain      events/s to a target that was down
//	go run ./test/bench memory     bytes of Redis for an event
//
// All start what they need themselves, use nothing but 127.0.0.1, end after
// minutes at most, and print a small table. -h lists the flags of each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// commands are what the program can do; serve is for its own child processes.
var commands = map[string]func(ctx context.Context, args []string, out io.Writer) error{
	"accept":    benchAccept,
	"apply":     benchApply,
	"drain":     benchDrain,
	"isolation": benchIsolation,
	"latency":   benchLatency,
	"memory":    benchMemory,
	"scale":     benchScale,
	"serve":     serve,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends this process at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) == 0 || commands[args[0]] == nil {
		names := slices.Sorted(maps.Keys(commands))
		names = slices.DeleteFunc(names, func(name string) bool { return name == "serve" })
		return fmt.Errorf("say what to measure: %s", strings.Join(names, ", "))
	}
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case failure:
			err = problem
		default:
			panic(problem)
		}
	}()
	return commands[args[0]](ctx, args[1:], out)
}
