package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sallyport.dev/sallyport/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(run)) }

// run is the whole program, without the process around it.
func run(ctx context.Context, env cli.Env) error {
	log.SetLogger(logr.Discard()) // what is worth saying is in errors
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: env.Stdout, ErrOut: env.Stderr}
	root := newApp(streams, displayName(os.Args[0])).rootCommand()
	root.SetArgs(env.Args)
	return explain(root.ExecuteContext(ctx))
}

// displayName is how to call this program: kubectl starts a plugin by its whole
// path, as it finds it in PATH, and then "kubectl hooks" is what people typed. What
// comes after kubectl is the name of the file: krew calls the plugin sallyport.
func displayName(argument string) string {
	name := strings.TrimSuffix(filepath.Base(argument), ".exe")
	plugin, isPlugin := strings.CutPrefix(name, "kubectl-")
	found, err := exec.LookPath(name)
	if isPlugin && err == nil && found == argument && filepath.IsAbs(argument) {
		return "kubectl " + plugin
	}
	return programName
}
