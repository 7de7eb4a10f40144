package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"sallyport.dev/sallyport/internal/buildinfo"
)

// envPrefix begins the variables that stand for flags.
const envPrefix = "SALLYPORT_"

// versionFlag is the one flag that the environment can't give: whoever sets
// SALLYPORT_VERSION for purposes of their own still wants the program to run.
const versionFlag = "version"

// helpWidth is where the lines of the help end: they are read on terminals.
const helpWidth = 120

// Flags are a program's flags. Each can also be given by the environment:
// --redis-url by SALLYPORT_REDIS_URL. A flag that is given wins.
type Flags struct {
	*pflag.FlagSet
	env     Env
	version *bool
}

// NewFlags returns an empty set; about says in a sentence what the program does.
func NewFlags(env Env, about string) *Flags {
	f := &Flags{FlagSet: pflag.NewFlagSet(env.Name, pflag.ContinueOnError), env: env}
	f.version = f.Bool(versionFlag, false, "print the version and end")
	f.Usage = func() {
		_, _ = fmt.Fprintf(env.Stderr, "%s: %s\n\nEach flag can be given by the environment, too: --log-level by %s.\n\n%s",
			env.Name, about, Variable("log-level"), f.FlagUsagesWrapped(helpWidth))
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

// Bytes defines a flag whose value is a number of bytes, written like the
// quantities of Kubernetes.
func (f *Flags) Bytes(bytes *int64, name, usage string) {
	f.Func(name, usage, func(text string) error {
		size, err := resource.ParseQuantity(text)
		n, whole := size.AsInt64()
		if err != nil || !whole || n < 0 {
			return errors.New("it is a whole number of bytes, for example 5Mi")
		}
		*bytes = n
		return nil
	})
}

// Read reads the arguments and then, for flags that are not among them, the
// environment. The error is a *UsageError, or pflag.ErrHelp after the help or the
// version that was asked for was printed.
func (f *Flags) Read() error {
	if err := f.Parse(f.env.Args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return &UsageError{err: withoutValue(err)}
	}
	if *f.version {
		_, _ = fmt.Fprintf(f.env.Stdout, "%s %s\n", f.env.Name, buildinfo.Get())
		return pflag.ErrHelp
	}
	if f.NArg() > 0 {
		return Usagef("there are no arguments but flags, and %q is none: write --name=value", f.Arg(0))
	}
	return f.readEnv()
}

// withoutValue leaves the value out of an error about how a flag is spelled, which
// pflag quotes as a whole: it may be a URL that has a password.
func withoutValue(err error) error {
	argument := ""
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() != "" {
		argument = "-" + unknown.GetSpecifiedShortnames()
	}
	if malformed, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		argument = malformed.GetSpecifiedFlag()
	}
	if argument == "" {
		return err
	}
	name, _, _ := strings.Cut(argument, "=")
	return fmt.Errorf("there is no flag %s: write --name=value, with two dashes", name)
}

func (f *Flags) readEnv() error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		value, found := f.env.Lookup(Variable(flag.Name))
		if !found || flag.Changed || flag.Name == versionFlag {
			return
		}
		if err := flag.Value.Set(value); err != nil {
			errs = append(errs, fmt.Errorf("the environment variable %s, which stands for --%s, has an invalid value: %w", Variable(flag.Name), flag.Name, err))
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
