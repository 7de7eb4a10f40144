package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// goFlags are those of hack/env.sh, so that a release shares the build cache with all
// other builds.
const goFlags = "-trimpath -gcflags=all=-dwarf=false -buildvcs=false"

// buildInfo is the package that says which build a program is.
const buildInfo = "sallyport.dev/sallyport/internal/buildinfo"

// build compiles all programs, platform by platform, into folders of work.
func (r *release) build(ctx context.Context, work string) error {
	platforms := slices.Clone(r.images)
	for _, p := range r.plugins {
		if !slices.Contains(platforms, p) {
			platforms = append(platforms, p)
		}
	}
	for _, p := range platforms {
		var programs []string
		if slices.Contains(r.images, p) {
			programs = append(programs, servers...)
		}
		if slices.Contains(r.plugins, p) {
			programs = append(programs, plugin)
		}
		if err := r.compile(ctx, filepath.Join(work, p.file()), p, programs); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// compile leaves nothing to the environment that could change the programs.
func (r *release) compile(ctx context.Context, dir string, p platform, programs []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	stamp := fmt.Sprintf("-s -w -buildid= -X %s.version=%s -X %s.revision=%s", buildInfo, r.version, buildInfo, r.revision)
	args := []string{"build", "-ldflags", stamp, "-o", dir + string(filepath.Separator)}
	for _, program := range programs {
		args = append(args, "./cmd/"+program)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+goFlags, "GOOS="+p.os, "GOARCH="+p.arch,
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
