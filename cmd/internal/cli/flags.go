package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"sallyport.dev/sallyport/internal/buildinfo"
)

// envPrefix is of the variables that stand for flags.
const envPrefix = "SALLYPORT_"

// versionFlag is the one flag that the environment can't give: whoever sets
// SALLYPORT_VERSION for purposes of their own still wants the program to run.
const versionFlag = "version"

// Flags are a program's flags. Each can also be given by the environment:
// --redis-url by SALLYPORT_REDIS_URL. A flag that is given wins.
type Flags struct {
	*flag.FlagSet
	env     Env
	version *bool
}

// NewFlags returns an empty set; about says in a sentence what the program does.
func NewFlags(env Env, about string) *Flags {
	f := &Flags{FlagSet: flag.NewFlagSet(env.Name, flag.ContinueOnError), env: env}
	f.version = f.Bool(versionFlag, false, "print the version and end")
	f.SetOutput(io.Discard) // the caller reports the error, once
	f.Usage = func() {
		f.SetOutput(env.Stderr)
		defer f.SetOutput(io.Discard)
		_, _ = fmt.Fprintf(env.Stderr, "%s: %s\n\nEach flag can be given by the environment, too: --log-level by %s.\n\n", env.Name, about, Variable("log-level"))
		f.PrintDefaults()
	}
	return f
}

// List defines a flag that may be given several times, or once with commas. add
// takes one value.
func (f *Flags) List(name, usage string, add func(value string) error) {
	f.Func(name, usage, func(values string) error {
		for value := range strings.SplitSeq(values, ",") {
			if value = strings.TrimSpace(value); value == "" {
				continue
			}
			if err := add(value); err != nil {
				return err
			}
		}
		return nil
	})
}

// Read reads the arguments and then, for flags that are not among them, the
// environment. The error is a *UsageError, or flag.ErrHelp after the help or the
// version that was asked for was printed.
func (f *Flags) Read() error {
	if err := f.Parse(f.env.Args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return &UsageError{err: err}
	}
	if *f.version {
		_, _ = fmt.Fprintf(f.env.Stdout, "%s %s\n", f.env.Name, buildinfo.Get())
		return flag.ErrHelp
	}
	if f.NArg() > 0 {
		return Usagef("there are no arguments but flags, and %q is none: write --name=value", f.Arg(0))
	}
	return f.readEnv()
}

func (f *Flags) readEnv() error {
	given := map[string]bool{versionFlag: true}
	f.Visit(func(found *flag.Flag) { given[found.Name] = true })
	var errs []error
	f.VisitAll(func(found *flag.Flag) {
		value, ok := f.env.Lookup(Variable(found.Name))
		if given[found.Name] || !ok {
			return
		}
		if err := f.Set(found.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("the environment variable %s has an invalid value: %w", Variable(found.Name), err))
		}
	})
	if len(errs) > 0 {
		return &UsageError{err: errors.Join(errs...)}
	}
	return nil
}

// Variable returns the environment variable of a flag: SALLYPORT_REDIS_URL for
// redis-url.
func Variable(flagName string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}
