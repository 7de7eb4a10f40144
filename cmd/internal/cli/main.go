package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"
)

// The exit codes, as shells and service managers read them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Env is what a program gets from the process that it runs in.
type Env struct {
	// Name of the program, for messages.
	Name string
	// Args are the arguments after the name.
	Args []string
	// Lookup finds variables of the environment.
	Lookup func(name string) (value string, ok bool)
	// Stdout and Stderr are the outputs.
	Stdout, Stderr io.Writer
}

// UsageError is a mistake in how the program was called.
type UsageError struct{ err error }

// Usagef makes a UsageError. It should name the flag and what to write instead.
func Usagef(format string, args ...any) *UsageError {
	return &UsageError{err: fmt.Errorf(format, args...)}
}

// Error implements error.
func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap returns what the error was made of.
func (e *UsageError) Unwrap() error { return e.err }

// Main runs a program in this process and returns its exit code. The context
// ends with the first SIGTERM or SIGINT; a second one ends the process.
func Main(run func(context.Context, Env) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // from now on signals have their usual effect
	env := Env{
		Name: filepath.Base(os.Args[0]), Args: os.Args[1:],
		Lookup: os.LookupEnv, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	return exitCode(env, run(ctx, env))
}

// exitCode says on stderr what went wrong, if anything did.
func exitCode(env Env, err error) int {
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return exitOK
	}
	_, _ = fmt.Fprintf(env.Stderr, "%s: %v\n", env.Name, err)
	if _, ok := errors.AsType[*UsageError](err); ok {
		_, _ = fmt.Fprintf(env.Stderr, "%s --help lists all flags\n", env.Name)
		return exitUsage
	}
	return exitFailed
}
