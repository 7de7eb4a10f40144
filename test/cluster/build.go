package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Root returns the folder of the source: the one with go.mod, at or above the
// working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			err = errors.New("there is no go.mod here or above: run this inside the source of Sallyport")
		}
		dir = parent
	}
	return "", err
}

// Assets returns the folder with kube-apiserver, etcd and kubectl, and first
// gets them if need be, which may take minutes: progress, in lines, goes to w.
func Assets(ctx context.Context, root string, w io.Writer) (string, error) {
	return script(ctx, root, w, "hack/controlplane.sh")
}

// RedisServer returns the path of a redis-server or valkey-server, and first
// tries to install one if the machine has none.
func RedisServer(ctx context.Context, root string, w io.Writer) (string, error) {
	return script(ctx, root, w, "hack/redis.sh")
}

// script runs a script of the source and returns what it prints.
func script(ctx context.Context, root string, progress io.Writer, path string) (string, error) {
	var stdout bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(root, path))
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &stdout, progress
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it has things to clean up
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// Build compiles the programs into bin/ as `make build` does,
// so that all share what is compiled, and returns that folder.
func Build(ctx context.Context, root string) (string, error) {
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o750); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(bin, ".lock"))
	if err != nil {
		return "", fmt.Errorf("wait for another build: %w", err)
	}
	defer unlock()

	build := exec.CommandContext(ctx, "bash", "-c", `. hack/env.sh && exec go build -ldflags "-s -w" -o bin/ ./cmd/...`)
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, output)
	}
	return bin, nil
}

// lock keeps the packages of one `go test` from replacing a program that
// another is about to start.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
