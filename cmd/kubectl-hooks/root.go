package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/cmd/internal/cli"
)

// The names of this program: as a program, and as a plugin of kubectl.
const (
	programName = "kubectl-hooks"
	pluginName  = "kubectl hooks"
)

// app is what the commands share. It is for one call of the program.
type app struct {
	genericiooptions.IOStreams
	// name is how people call the program.
	name string
	// now is the clock.
	now func() time.Time

	flags  *genericclioptions.ConfigFlags
	client client.WithWatch // see connect
}

func newApp(streams genericiooptions.IOStreams, name string) *app {
	return &app{IOStreams: streams, name: name, now: time.Now, flags: genericclioptions.NewConfigFlags(false)}
}

// rootCommand is kubectl hooks itself, with all its commands.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   programName,
		Short: "Work with the webhooks that Sallyport receives",
		Long: `Work with the webhooks that Sallyport receives: send test webhooks, look at
events, deliver dead letters again, pause an endpoint, watch what happens.

An ENDPOINT is the name of a WebhookEndpoint, or namespace/name. An EVENT is the
id that the provider gave it, or the name of the WebhookEvent.`,
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: a.name},
		SilenceErrors:     true, // package cli prints them
		SilenceUsage:      true,
		Args:              noSuchCommand,
		PersistentPreRunE: noEmptyFlags,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.ErrOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.Usagef("%w", err) })
	a.addConnectionFlags(root)
	a.completeGlobalFlags(root)
	for _, newCommand := range []func(*app) *cobra.Command{
		newSendCommand, newEventsCommand, newDeadCommand, newShowCommand, newReplayCommand, newPurgeCommand,
		newPauseCommand, newResumeCommand, newStatsCommand, newTailCommand, newVersionCommand,
	} {
		c := newCommand(a)
		c.Example = a.example(c.Example)
		root.AddCommand(c)
	}
	return root
}

// noSuchCommand refuses what is no command, and says which is meant.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return cli.Usagef("there is no command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return cli.Usagef("there is no command %q", args[0])
}

// noEmptyFlags refuses --since="$UNSET" and the like, which would otherwise mean as
// much as no flag: everything.
func noEmptyFlags(cmd *cobra.Command, _ []string) (err error) {
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if err == nil && flag.Changed && flag.Value.String() == "" {
			err = cli.Usagef("--%s is empty: give it a value, or leave it out", flag.Name)
		}
	})
	return err
}

// addConnectionFlags defines the flags that kubectl has, too. The help has those
// that most people need.
func (a *app) addConnectionFlags(root *cobra.Command) {
	a.flags.AddFlags(root.PersistentFlags())
	about := map[string]string{
		"context":         "the `context` of the kubeconfig to use",
		"kubeconfig":      "the kubeconfig `file` to use",
		"namespace":       "the `namespace`; by default that of the context",
		"request-timeout": "how `long` to wait for each answer of the API server, for example 10s; 0: as long as it takes",
	}
	root.PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if text, usual := about[flag.Name]; usual {
			flag.Usage = text
		} else {
			flag.Hidden = true
		}
	})
}

// example writes examples as people have to call the program: in the sources
// they begin with "kubectl hooks".
func (a *app) example(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(text, pluginName, a.name)), "\n", "\n  ")
}

// arguments demands least to most arguments (most < 0: any number). The usage calls
// them names.
func arguments(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return cli.Usagef("%s needs %s", cmd.CommandPath(), names)
		case most >= 0 && len(args) > most && most == 0:
			return cli.Usagef("%s takes no arguments, and %q is one", cmd.CommandPath(), args[0])
		case most >= 0 && len(args) > most:
			return cli.Usagef("%s takes %s and no more, and %q is more", cmd.CommandPath(), names, args[most])
		}
		return nil
	}
}

// runner does the work of a command once its flags are read.
type runner func(ctx context.Context, args []string) error

// runE makes of a runner what cobra calls.
func runE(run runner) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) }
}
