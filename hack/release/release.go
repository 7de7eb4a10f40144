package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// release is what is to be made.
type release struct {
	version, revision         string
	date                      time.Time // of the commit
	image                     string    // name of the images, less the program
	source, download, builder string
	root, out, kubectl        string
	images, plugins           []platform
	made                      []subject // what was made so far
}

// subject is a file or an image of the release.
type subject struct {
	name, sha256 string
	file         bool
}

// The programs of images, and the plugin of kubectl.
var servers = []string{"manager", "receiver"}

const plugin = "kubectl-hooks"

// platform is an operating system and a processor, as Go calls them.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// file is the platform in names of files.
func (p platform) file() string { return p.os + "_" + p.arch }

// pluginFile is what the program of the plugin is called.
func (p platform) pluginFile() string {
	if p.os == "windows" {
		return plugin + ".exe"
	}
	return plugin
}

func parsePlatforms(text string) ([]platform, error) {
	var platforms []platform
	for one := range strings.SplitSeq(text, ",") {
		system, arch, found := strings.Cut(one, "/")
		if !found || system == "" || arch == "" {
			return nil, fmt.Errorf("%q is no platform: write for example linux/amd64", one)
		}
		platforms = append(platforms, platform{system, arch})
	}
	return platforms, nil
}

// A version is one that krew takes and that can be the tag of an image, which "+" can't.
var versionPattern = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?$`)

func (r *release) check() error {
	switch {
	case !versionPattern.MatchString(r.version):
		return fmt.Errorf("-version=%s is no version: write for example v0.1.0", r.version)
	case r.image == "":
		return errors.New("-image is missing: which name do the images have?")
	case !strings.HasPrefix(r.source, "https://"):
		return fmt.Errorf("-source=%s is no https URL: where is the repository?", r.source)
	}
	for _, p := range r.images {
		if p.os != "linux" {
			return fmt.Errorf("-platforms: images are for linux, and %s is not", p)
		}
	}
	return nil
}

// marker is the file by which a folder is known as a release.
const marker = "SHA256SUMS"

// empty makes the folder of the release, and removes an older one from it. It removes
// nothing that is not a release.
func (r *release) empty() error {
	entries, err := os.ReadDir(r.out)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(r.out, marker)); err != nil {
			return fmt.Errorf("%s holds something that is no release: name another folder", r.out)
		}
	}
	return errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o755))
}

// make makes everything. Later files name earlier ones by their digests.
func (r *release) make(ctx context.Context) error {
	if err := r.empty(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.out, marker), nil, 0o644); err != nil { // so that what a failure leaves can be emptied
		return err
	}
	work, err := os.MkdirTemp(r.out, ".work-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, step := range []struct {
		name string
		do   func(context.Context, string) error
	}{
		{"programs", r.build},
		{"images", r.writeImages},
		{"manifests", r.writeManifests},
		{"archives", r.writeArchives},
		{"SBOMs", r.writeSBOMs},
		{"provenance", r.writeProvenance},
		{"checksums", r.writeSums},
	} {
		started := time.Now()
		if err := step.do(ctx, work); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(os.Stderr, "release: %-10s %5.1f s\n", step.name, time.Since(started).Seconds())
	}
	return nil
}

// write writes a file of the release, and takes note of it.
func (r *release) write(name string, content []byte) error {
	r.made = append(r.made, subject{name, digest(content), true})
	return os.WriteFile(filepath.Join(r.out, name), content, 0o644)
}
