package system

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// usageExitCode tells a mistake in the configuration from a failure.
const usageExitCode = 2

// A program that is called wrongly ends at once, with a sentence that names the
// flag, and never prints what might be a password.
func TestProgramThatIsCalledWronglyEndsWithASentence(t *testing.T) {
	const password = "hunter2"
	for name, test := range map[string]struct {
		program string
		args    []string
		env     []string
		says    string
	}{
		"manager: an unknown flag":         {"manager", []string{"--no-such-flag"}, nil, "no-such-flag"},
		"manager: an argument":             {"manager", []string{"start"}, nil, "start"},
		"manager: a URL without a scheme":  {"manager", []string{"--route-namespace=x", "--public-url=hooks.example.test"}, nil, "public-url"},
		"manager: no such log level":       {"manager", []string{"--log-level=loud"}, nil, "log-level"},
		"manager: no such kubeconfig":      {"manager", []string{"--route-namespace=x", "--kubeconfig=/nonexistent"}, nil, "/nonexistent"},
		"receiver: an unknown flag":        {"receiver", []string{"--no-such-flag"}, nil, "no-such-flag"},
		"receiver: an argument":            {"receiver", []string{"--redis-url=redis://127.0.0.1:1", "start"}, nil, "start"},
		"receiver: no Redis":               {"receiver", nil, nil, "redis-url"},
		"receiver: not a Redis URL":        {"receiver", []string{"--redis-url=http://u:" + password + "@127.0.0.1"}, nil, "redis"},
		"receiver: a broken Redis URL":     {"receiver", []string{"--redis-url=redis://u:" + password + "@[::1"}, nil, "redis"},
		"receiver: a mapping without port": {"receiver", []string{"--redis-url=redis://127.0.0.1:1", "--connect-to=a/b=c"}, nil, "connect-to"},
		"receiver: not a duration":         {"receiver", []string{"--redis-url=redis://127.0.0.1:1", "--shutdown-grace=soon"}, nil, "shutdown-grace"},
		"receiver: from the environment":   {"receiver", []string{"--redis-url=redis://127.0.0.1:1"}, []string{"SALLYPORT_SHUTDOWN_GRACE=soon"}, "SALLYPORT_SHUTDOWN_GRACE"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			var stdout, stderr bytes.Buffer
			cmd := exec.CommandContext(ctx, program(test.program), test.args...)
			cmd.Env, cmd.Stdout, cmd.Stderr = append([]string{"HOME=" + t.TempDir()}, test.env...), &stdout, &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != usageExitCode {
				t.Fatalf("the program ended with %v, want exit code %d:\n%s", err, usageExitCode, stderr.String())
			}
			if !strings.Contains(stderr.String(), test.says) {
				t.Errorf("stderr does not name %q:\n%s", test.says, stderr.String())
			}
			if strings.Contains(stderr.String()+stdout.String(), password) {
				t.Errorf("the password of the Redis URL is printed:\n%s", stderr.String())
			}
			if stdout.Len() != 0 {
				t.Errorf("stdout is for audit records, and has %q", stdout.String())
			}
		})
	}
}
