package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Say which build of this program it is",
		Example:           "kubectl hooks version",
		Args:              arguments(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: runE(func(context.Context, []string) error {
			a.printf("%s %s\n", programName, buildVersion())
			return nil
		}),
	}
}

// buildVersion is what the Go tools wrote into the program: the version of the module
// and, where they knew it, the commit.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			version += " " + setting.Value
		}
	}
	return version + " " + info.GoVersion + " " + runtime.GOOS + "/" + runtime.GOARCH
}
