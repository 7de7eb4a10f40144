package cli

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestVersionIsPrintedAndNothingElseIsAsked(t *testing.T) {
	env, _ := environment(map[string]string{"SALLYPORT_SHUTDOWN_GRACE": "soon"}, "--version")
	f := NewFlags(env, "does something")
	f.Duration("shutdown-grace", 0, "how long")
	err := f.Read()
	if !errors.Is(err, pflag.ErrHelp) || exitCode(env, err) != exitOK {
		t.Errorf("--version ends with %v", err)
	}
	if got := env.Stdout.(*bytes.Buffer).String(); !strings.HasPrefix(got, "program ") || !strings.Contains(got, runtime.Version()) {
		t.Errorf("the line is %q", got)
	}
}

func TestTheEnvironmentDoesNotAskForTheVersion(t *testing.T) {
	env, _ := environment(map[string]string{"SALLYPORT_VERSION": "v0.1.0"})
	if err := NewFlags(env, "does something").Read(); err != nil {
		t.Error(err)
	}
}
