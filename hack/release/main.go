// Command release makes all files of a release, without a container engine and
// without anything from the network but Go modules:
//
//	go run . -version v0.1.0 -image registry.example.com/sallyport -out ../../dist
//	go run . push -from ../../dist
//
//	main.go        the command line       release.go     the order of the steps
//	build.go       go build               image.go       OCI images
//	roots.go       certificates of CAs    archive.go     tar.gz and zip
//	install.go     install.yaml           krew.go        manifest for krew
//	sbom.go        SPDX documents         provenance.go  what was made of what
//	sums.go        SHA256SUMS             push.go        images to a registry
//
// It promises that the same commit, version and Go compiler make the same bytes, in
// every folder and on every machine: no file holds a time but that of the commit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run makes a release, or publishes the images of one.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "push" {
		flags := flag.NewFlagSet("push", flag.ContinueOnError)
		from := flags.String("from", "dist", "`folder` of the release")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return push(ctx, *from)
	}
	o, err := parse(ctx, args)
	if err != nil {
		return err
	}
	return o.make(ctx)
}

// parse reads the flags, and asks git for what they leave out.
func parse(ctx context.Context, args []string) (*release, error) {
	r := &release{}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&r.version, "version", "", "`version`, for example v0.1.0 or v0.1.0-rc.1")
	flags.StringVar(&r.image, "image", "", "`name` of the images, less -manager and -receiver")
	flags.StringVar(&r.source, "source", "", "`URL` of the repository")
	flags.StringVar(&r.download, "download", "", "`URL` of the folder that the archives will be in; by default as GitHub has it")
	flags.StringVar(&r.builder, "builder", "https://sallyport.dev/hack/release", "`URI` of who builds, for the provenance")
	flags.StringVar(&r.revision, "revision", "", "`commit`; by default that of the root")
	flags.StringVar(&r.root, "root", "../..", "`folder` of the repository")
	flags.StringVar(&r.out, "out", "dist", "`folder` to write; one that holds an older release is emptied")
	flags.StringVar(&r.kubectl, "kubectl", "kubectl", "`program` that renders kustomizations")
	images := flags.String("platforms", "linux/amd64,linux/arm64", "`platforms` of the images")
	plugins := flags.String("plugins", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64", "`platforms` of the plugin")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var errs [2]error
	r.images, errs[0] = parsePlatforms(*images)
	r.plugins, errs[1] = parsePlatforms(*plugins)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if r.download == "" {
		r.download = r.source + "/releases/download/" + r.version
	}
	return r, errors.Join(r.locate(), r.ask(ctx), r.check())
}

// locate makes paths absolute, since kustomize needs one that is relative to another.
func (r *release) locate() error {
	for _, path := range []*string{&r.root, &r.out} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	return nil
}

// ask gets commit and time. SOURCE_DATE_EPOCH is how other tools are told the time.
func (r *release) ask(ctx context.Context) error {
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	var err error
	if r.revision == "" {
		if r.revision, err = r.git(ctx, "rev-parse", "HEAD"); err != nil {
			return err
		}
		changes, err := r.git(ctx, "status", "--porcelain")
		if err != nil {
			return err
		}
		if changes != "" {
			r.revision += "-dirty"
		}
	}
	if seconds == "" {
		if seconds, err = r.git(ctx, "log", "-1", "--format=%ct"); err != nil {
			return err
		}
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH=%s is no number of seconds", seconds)
	}
	r.date = time.Unix(unix, 0).UTC()
	return nil
}

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", r.root}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w (outside of a clone, give -revision and SOURCE_DATE_EPOCH)", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
