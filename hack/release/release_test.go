package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	testVersion  = "v0.1.0-rc.1"
	testRevision = "0123456789abcdef0123456789abcdef01234567"
)

// here is what a release is made for in tests: other platforms take minutes to compile.
var here = platform{"linux", runtime.GOARCH}

// testRelease is a release of the sources in root.
func testRelease(root, out string) *release {
	return &release{
		version: testVersion, revision: testRevision, date: time.Unix(1_790_000_000, 0).UTC(),
		image: "registry.example.test/sallyport", source: "https://example.test/sallyport", download: "https://example.test/download", builder: "https://example.test/builder",
		root: root, out: out, kubectl: filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"),
		images: []platform{here}, plugins: []platform{here},
	}
}

// TestRelease makes a release from this folder and from a copy elsewhere, and looks at it.
func TestRelease(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("there is no kubectl: export KUBEBUILDER_ASSETS=$(hack/controlplane.sh)")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := copySources(t, root)
	one, other := testRelease(root, filepath.Join(t.TempDir(), "dist")), testRelease(elsewhere, filepath.Join(t.TempDir(), "b", "dist"))
	both := make(chan error, 2)
	for _, r := range []*release{one, other} {
		go func() { both <- r.make(t.Context()) }()
	}
	if err := errors.Join(<-both, <-both); err != nil {
		t.Fatal(err)
	}
	t.Run("is the same from another folder", func(t *testing.T) { sameFiles(t, one.out, other.out) })
	t.Run("checksums", func(t *testing.T) { checkSums(t, one) })
	t.Run("images", func(t *testing.T) { checkImages(t, one) })
	t.Run("manifests", func(t *testing.T) { checkManifests(t, one) })
	t.Run("archives", func(t *testing.T) { checkArchive(t, one) })
	t.Run("krew", func(t *testing.T) { checkKrew(t, one) })
	t.Run("SBOMs", func(t *testing.T) { checkSBOMs(t, one) })
	t.Run("provenance", func(t *testing.T) { checkProvenance(t, one) })
	t.Run("push", func(t *testing.T) { checkPush(t, one) })
	t.Run("a second one takes its place", func(t *testing.T) {
		if err := one.empty(); err != nil {
			t.Error(err)
		}
	})
}

// copySources copies all that a release could be made of.
func copySources(t *testing.T, root string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "another", "folder")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || strings.HasPrefix(name, ".") || slices.Contains([]string{"bin", "dist", "docs", "hack", "test"}, name) {
			continue
		}
		if err := os.CopyFS(filepath.Join(to, name), os.DirFS(filepath.Join(root, name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "LICENSE"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func sameFiles(t *testing.T, one, other string) {
	a, b := digests(t, one), digests(t, other)
	if len(a) < 15 {
		t.Errorf("a release has only %d files", len(a))
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if a[name] != b[name] {
			t.Errorf("%s is %s here and %s there", name, a[name], b[name])
		}
	}
	if len(a) != len(b) {
		t.Errorf("there are %d files here and %d there", len(a), len(b))
	}
}

func digests(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found[name] = digest(readFile(t, folder, name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readFile(t *testing.T, elements ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func checkSums(t *testing.T, r *release) {
	cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet", marker)
	cmd.Dir = r.out
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	entries, err := os.ReadDir(r.out)
	if err != nil {
		t.Fatal(err)
	}
	sums := string(readFile(t, r.out, marker))
	for _, entry := range entries {
		if !entry.IsDir() && entry.Name() != marker && !strings.Contains(sums, "  "+entry.Name()+"\n") {
			t.Errorf("%s has no checksum", entry.Name())
		}
	}
}

// program runs a program of the release and returns what it prints.
func program(t *testing.T, content []byte, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestVersionsThatCanBeReleased(t *testing.T) {
	for version, want := range map[string]bool{
		"v0.1.0": true, "v1.20.3": true, "v0.1.0-rc.1": true, "v0.1.0-alpha-2": true,
		"0.1.0": false, "v0.1": false, "v01.0.0": false, "v0.1.0+build": false, "v0.1.0-": false, "latest": false, "": false,
	} {
		r := testRelease("", "")
		r.version = version
		if err := r.check(); (err == nil) != want {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestMistakesInTheCall(t *testing.T) {
	for says, args := range map[string][]string{
		"-version=":         {"-image=a", "-source=https://b"},
		"-image":            {"-version=v0.1.0", "-source=https://b"},
		"-source":           {"-version=v0.1.0", "-image=a"},
		"darwin/arm64":      {"-version=v0.1.0", "-image=a", "-source=https://b", "-platforms=darwin/arm64"},
		`"linux" is no`:     {"-platforms=linux"},
		"SOURCE_DATE_EPOCH": {"-version=v0.1.0", "-image=a", "-source=https://b", "-root=/nonexistent"},
	} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, want something about %s", args, err, says)
		}
	}
}

func TestNothingIsRemovedThatIsNoRelease(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := testRelease("", dir).empty(); err == nil || !strings.Contains(err.Error(), "name another folder") {
		t.Errorf("it was emptied: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "precious")); err != nil {
		t.Error(err)
	}
}

func TestTimeAndCommitComeFromGit(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.test"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "first")
	args := []string{"-version=v0.1.0", "-image=a", "-source=https://b", "-root=" + dir}
	r, err := parse(context.Background(), args)
	if err != nil || len(r.revision) != 40 || r.date.Format(time.RFC3339) != "2026-01-02T03:04:05Z" || r.download != "https://b/releases/download/v0.1.0" {
		t.Errorf("the release is %+v, %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err = parse(context.Background(), args); err != nil || !strings.HasSuffix(r.revision, "-dirty") {
		t.Errorf("the commit is %s, %v: there is a file that is not in it", r.revision, err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1")
	if r, err = parse(context.Background(), append(args, "-revision=x")); err != nil || r.date.Unix() != 1 || r.revision != "x" {
		t.Errorf("the release is %+v, %v", r, err)
	}
}

func TestArchivesOfEqualFilesAreEqual(t *testing.T) {
	entries := []entry{{"kubectl-hooks", 0o755, []byte("program")}, {"LICENSE", 0o644, []byte("text")}}
	date := time.Unix(1_790_000_000, 0).UTC()
	for name, pack := range map[string]func([]entry, time.Time) ([]byte, error){"tar.gz": tarGz, "zip": zipped} {
		one, err := pack(entries, date)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := pack(entries, date); err != nil || !bytes.Equal(one, other) {
			t.Errorf("two archives %s differ, %v", name, err)
		}
	}
}

// TestDockerfileSeesAllSources: what .dockerignore doesn't name, docker build lacks.
func TestDockerfileSeesAllSources(t *testing.T) {
	const module = "sallyport.dev/sallyport/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/manager", "./cmd/receiver", "./test/e2e/agent")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	ignore := string(readFile(t, "../../.dockerignore"))
	for path := range strings.Lines(string(out)) {
		inside, ours := strings.CutPrefix(strings.TrimSpace(path), module)
		top, _, _ := strings.Cut(inside, "/")
		if ours && top != "test" && !strings.Contains(ignore, "\n!"+top+"\n") {
			t.Errorf("%s is needed, and .dockerignore leaves %s out", inside, top)
		}
	}
}
