package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// environment makes an Env of arguments and variables.
func environment(variables map[string]string, args ...string) (Env, *bytes.Buffer) {
	stderr := new(bytes.Buffer)
	lookup := func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
	return Env{Name: "program", Args: args, Lookup: lookup, Stdout: new(bytes.Buffer), Stderr: stderr}, stderr
}

func TestFlagsComeFromArgumentsThenEnvironmentThenDefault(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want time.Duration
	}{
		"default":                            {nil, nil, time.Second},
		"environment":                        {nil, map[string]string{"SALLYPORT_SHUTDOWN_GRACE": "2s"}, 2 * time.Second},
		"argument":                           {[]string{"--shutdown-grace=3s"}, nil, 3 * time.Second},
		"both":                               {[]string{"--shutdown-grace", "3s"}, map[string]string{"SALLYPORT_SHUTDOWN_GRACE": "2s"}, 3 * time.Second},
		"both, and the environment is wrong": {[]string{"--shutdown-grace", "3s"}, map[string]string{"SALLYPORT_SHUTDOWN_GRACE": "soon"}, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := environment(test.env, test.args...)
			f := NewFlags(env, "does something")
			got := f.Duration("shutdown-grace", time.Second, "how long")
			if err := f.Read(); err != nil || *got != test.want {
				t.Errorf("the flag is %v (%v), want %v", *got, err, test.want)
			}
		})
	}
}

func TestMistakesNameTheFlagOrTheVariable(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"unknown flag":   {[]string{"--no-such-flag"}, nil, "no-such-flag"},
		"one dash":       {[]string{"-shutdown-grace=hunter2"}, nil, "there is no flag -shutdown-grace: "},
		"three dashes":   {[]string{"---shutdown-grace=hunter2"}, nil, "there is no flag ---shutdown-grace: "},
		"argument":       {[]string{"start"}, nil, `"start"`},
		"bad value":      {[]string{"--shutdown-grace=soon"}, nil, "--shutdown-grace"},
		"bad variable":   {nil, map[string]string{"SALLYPORT_SHUTDOWN_GRACE": "soon"}, "SALLYPORT_SHUTDOWN_GRACE, which stands for --shutdown-grace"},
		"bad level":      {[]string{"--log-level=loud"}, nil, "log-level"},
		"bad list entry": {[]string{"--list=a,bad"}, nil, "list"},
	} {
		t.Run(name, func(t *testing.T) {
			env, stderr := environment(test.env, test.args...)
			f := NewFlags(env, "does something")
			f.Duration("shutdown-grace", time.Second, "how long")
			f.LogLevel()
			f.List("list", "some", func(value string) error {
				if value == "bad" {
					return errors.New("bad")
				}
				return nil
			})
			err := f.Read()
			if code := exitCode(env, err); code != exitUsage {
				t.Errorf("the exit code is %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr.String(), test.want) || strings.Contains(stderr.String(), "hunter2") {
				t.Errorf("stderr does not name %q, or shows a value:\n%s", test.want, stderr)
			}
		})
	}
}

func TestListTakesRepeatsAndCommas(t *testing.T) {
	env, _ := environment(map[string]string{"SALLYPORT_B": "4, 5,"}, "--a=1", "--a=2,3")
	f := NewFlags(env, "does something")
	var a, b []string
	f.List("a", "some", func(value string) error { a = append(a, value); return nil })
	f.List("b", "some", func(value string) error { b = append(b, value); return nil })
	if err := f.Read(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, []string{"1", "2", "3"}) || !slices.Equal(b, []string{"4", "5"}) {
		t.Errorf("the lists are %q and %q", a, b)
	}
}

func TestHelpListsFlagsAndIsNoMistake(t *testing.T) {
	env, stderr := environment(nil, "--help")
	f := NewFlags(env, "does something")
	f.Kubeconfig(new(string))
	err := f.Read()
	if !errors.Is(err, pflag.ErrHelp) || exitCode(env, err) != exitOK {
		t.Errorf("--help ends with %v", err)
	}
	if !strings.Contains(stderr.String(), "does something") || !strings.Contains(stderr.String(), " --kubeconfig path ") {
		t.Errorf("the help is %q", stderr)
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		exitOK:     nil,
		exitFailed: errors.New("the disk is full"),
		exitUsage:  fmt.Errorf("starting: %w", Usagef("--x is wrong")),
	} {
		env, _ := environment(nil)
		if got := exitCode(env, err); got != want {
			t.Errorf("the exit code of %v is %d, want %d", err, got, want)
		}
	}
}

func TestRouteNamespaceDefaultsToOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namespace")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, _ := environment(map[string]string{"POD_NAMESPACE": "from-pod"})
	if got := env.ownNamespace(file); got != "from-pod" {
		t.Errorf("the namespace is %q, want that of POD_NAMESPACE", got)
	}
	env, _ = environment(nil)
	if got := env.ownNamespace(file); got != "from-file" {
		t.Errorf("the namespace is %q, want that of the file", got)
	}
	if got := env.ownNamespace(file + "-missing"); got != "" {
		t.Errorf("the namespace is %q, want none", got)
	}
}

func TestRestConfigSaysWhatIsMissing(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for _, path := range []string{"", "/nonexistent"} {
		_, err := RestConfig(path)
		if _, ok := errors.AsType[*UsageError](err); !ok || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "--kubeconfig") {
			t.Errorf("RestConfig(%q) says %v", path, err)
		}
	}
}

func TestLoggerKeepsToItsLevel(t *testing.T) {
	env, stderr := environment(nil, "--log-level=warn")
	f := NewFlags(env, "does something")
	level := f.LogLevel()
	if err := f.Read(); err != nil {
		t.Fatal(err)
	}
	log := env.Logger(level)
	log.Info("quiet")
	log.WarnContext(context.Background(), "loud")
	if got := stderr.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud"`) {
		t.Errorf("the log is %q", got)
	}
}
