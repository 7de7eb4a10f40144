package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"sigs.k8s.io/yaml"
)

// untar reads the files of an archive.
func untar(t *testing.T, archive io.Reader) map[string]entry {
	t.Helper()
	files := map[string]entry{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = entry{header.Name, header.Mode, content}
	}
}

// images are the lines of images.txt: name, tag and digest.
func images(t *testing.T, r *release) [][3]string {
	t.Helper()
	var found [][3]string
	for line := range strings.Lines(string(readFile(t, r.out, imageList))) {
		match := regexp.MustCompile(`^(.+):([^:@]+)@(sha256:[0-9a-f]{64})\n$`).FindStringSubmatch(line)
		if match == nil {
			t.Fatalf("%s has the line %q", imageList, line)
		}
		found = append(found, [3]string(match[1:]))
	}
	return found
}

func checkImages(t *testing.T, r *release) {
	found := images(t, r)
	if len(found) != 2 || found[0][0] != "registry.example.test/sallyport-manager" || found[1][0] != "registry.example.test/sallyport-receiver" || found[0][1] != testVersion {
		t.Fatalf("the images are %v", found)
	}
	for i, image := range found {
		index, err := readLayout(layoutPath(r.out, image[0]), image[2])
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Errorf("%s: %v", image[0], err)
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		if manifest.MediaType != types.OCIImageIndex || len(manifest.Manifests) != 1 || manifest.Annotations["org.opencontainers.image.version"] != testVersion {
			t.Errorf("%s: the index is %+v", image[0], manifest)
		}
		of := manifest.Manifests[0]
		if of.MediaType != types.OCIManifestSchema1 || of.Platform.String() != here.String() {
			t.Errorf("%s: the first image is %+v", image[0], of)
		}
		one, err := index.Image(of.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, servers[i], one)
	}
}

func checkImage(t *testing.T, server string, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/" + server}) || c.Labels["org.opencontainers.image.revision"] != testRevision || config.OS+"/"+config.Architecture != here.String() {
		t.Errorf("%s: the configuration is %+v", server, config)
	}
	reader := mutate.Extract(image)
	defer reader.Close()
	files := untar(t, reader)
	if len(files) != 2 {
		t.Errorf("%s: the image has %d files", server, len(files))
	}
	if authorities := x509.NewCertPool(); !authorities.AppendCertsFromPEM(files[rootsFile].content) || strings.Count(string(files[rootsFile].content), "BEGIN CERTIFICATE") < 50 {
		t.Errorf("%s: certificates of authorities are missing", server)
	}
	content := files[server].content
	if files[server].mode != 0o755 {
		t.Errorf("%s: the mode is %o", server, files[server].mode)
	}
	parsed, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if libraries, err := parsed.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("%s is not static: %v, %v", server, libraries, err)
	}
	if out, want := program(t, content, "--version"), fmt.Sprintf("program %s (%s) ", testVersion, testRevision); !strings.HasPrefix(out, want) {
		t.Errorf("%s --version prints %q, want %q", server, out, want)
	}
}

// TestImagesOfSeveralPlatforms needs no compiler: any bytes can be a program.
func TestImagesOfSeveralPlatforms(t *testing.T) {
	r := testRelease("", t.TempDir())
	r.images = []platform{{"linux", "amd64"}, {"linux", "arm64"}}
	work := t.TempDir()
	for _, p := range r.images {
		for _, server := range servers {
			path := filepath.Join(work, p.file(), server)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(server+p.arch), 0o700)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.writeImages(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	for i, image := range images(t, r) {
		index, err := readLayout(layoutPath(r.out, image[0]), image[2])
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := index.IndexManifest()
		if err != nil || len(manifest.Manifests) != 2 {
			t.Fatalf("the index is %+v, %v", manifest, err)
		}
		for j, of := range manifest.Manifests {
			one, err := index.Image(of.Digest)
			if err != nil {
				t.Fatal(err)
			}
			reader := mutate.Extract(one)
			got := string(untar(t, reader)[servers[i]].content)
			reader.Close()
			if want := servers[i] + r.images[j].arch; of.Platform.String() != r.images[j].String() || got != want {
				t.Errorf("the image for %s has the program %q, want %q", of.Platform, got, want)
			}
		}
	}
}

func checkManifests(t *testing.T, r *release) {
	manifest := string(readFile(t, r.out, "install.yaml"))
	for _, image := range images(t, r) {
		if want := "image: " + image[0] + "@" + image[2] + "\n"; strings.Count(manifest, want) != 1 {
			t.Errorf("install.yaml has %d times %q", strings.Count(manifest, want), want)
		}
	}
	if strings.Contains(manifest, ":latest") {
		t.Error("install.yaml has an image that can change")
	}
	kinds := map[string]int{}
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Labels map[string]string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		kinds[object.Kind]++
		if got := object.Metadata.Labels["app.kubernetes.io/version"]; got != testVersion {
			t.Errorf("a %s has the version %q", object.Kind, got)
		}
	}
	if kinds["CustomResourceDefinition"] != 3 || kinds["Deployment"] != 2 || kinds["Namespace"] != 1 || kinds["APIService"] != 1 {
		t.Errorf("install.yaml has %v", kinds)
	}
	if got := strings.Count(string(readFile(t, r.out, "crds.yaml")), "kind: CustomResourceDefinition\n"); got != 3 {
		t.Errorf("crds.yaml has %d CRDs", got)
	}
}

func checkArchive(t *testing.T, r *release) {
	unpacked, err := gzip.NewReader(bytes.NewReader(readFile(t, r.out, r.archive(here))))
	if err != nil {
		t.Fatal(err)
	}
	files := untar(t, unpacked)
	if len(files) != 2 || len(files["LICENSE"].content) == 0 || files[plugin].mode != 0o755 {
		t.Errorf("the archive has %d files", len(files))
	}
	if out, want := program(t, files[plugin].content, "version", "--client"), fmt.Sprintf("kubectl-hooks %s (%s) ", testVersion, testRevision); !strings.HasPrefix(out, want) {
		t.Errorf("version --client prints %q, want %q", out, want)
	}
}

// TestArchivesForWindows: people there have no tar, and programs end in .exe.
func TestArchivesForWindows(t *testing.T) {
	r := testRelease(t.TempDir(), t.TempDir())
	windows := platform{"windows", "arm64"}
	r.plugins = []platform{windows}
	work := t.TempDir()
	dir := filepath.Join(work, windows.file())
	if err := errors.Join(os.WriteFile(filepath.Join(r.root, "LICENSE"), []byte("text"), 0o600), os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, plugin+".exe"), []byte("MZ"), 0o600), r.writeArchives(t.Context(), work)); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(r.out, "kubectl-hooks_v0.1.0-rc.1_windows_arm64.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if len(archive.File) != 2 || archive.File[0].Name != "kubectl-hooks.exe" {
		t.Errorf("the archive has %d files", len(archive.File))
	}
	if krew := string(readFile(t, r.out, "sallyport.yaml")); !strings.Contains(krew, "bin: kubectl-hooks.exe\n") || !strings.Contains(krew, "os: windows\n") {
		t.Errorf("the manifest for krew is\n%s", krew)
	}
}

func checkKrew(t *testing.T, r *release) {
	var manifest krewManifest
	if err := yaml.UnmarshalStrict(readFile(t, r.out, krewName+".yaml"), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Metadata.Name != "sallyport" || manifest.Spec.Version != testVersion || len(manifest.Spec.ShortDescription) > 50 || len(manifest.Spec.Platforms) != 1 {
		t.Errorf("the manifest is %+v", manifest)
	}
	p := manifest.Spec.Platforms[0]
	if p.SHA256 != digest(readFile(t, r.out, filepath.Base(p.URI))) || !strings.HasPrefix(p.URI, "https://example.test/download/") || p.Bin != plugin {
		t.Errorf("the platform is %+v", p)
	}
}

func checkSBOMs(t *testing.T, r *release) {
	for file, want := range map[string][]string{
		"sallyport-manager_" + testVersion + "_" + here.file() + ".spdx.json":  {"sigs.k8s.io/controller-runtime", "stdlib", rootsModule},
		"sallyport-receiver_" + testVersion + "_" + here.file() + ".spdx.json": {"github.com/redis/go-redis/v9", "stdlib", rootsModule},
		"kubectl-hooks_" + testVersion + "_" + here.file() + ".spdx.json":      {"k8s.io/cli-runtime", "stdlib"},
	} {
		text := readFile(t, r.out, file)
		checkSPDX(t, text)
		var d spdxDocument
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		names := map[string]string{}
		for _, p := range d.Packages {
			names[p.Name] = p.VersionInfo
		}
		for _, name := range want {
			if names[name] == "" {
				t.Errorf("%s lacks %s", file, name)
			}
		}
		if names["github.com/onsi/gomega"] != "" || names["github.com/alicebob/miniredis/v2"] != "" {
			t.Errorf("%s lists what only tests use", file)
		}
	}
}

// checkSPDX holds a document to what SPDX 2.3 requires (clauses 6, 7 and 11).
func checkSPDX(t *testing.T, text []byte) {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	match := func(object map[string]any, field, pattern string) string {
		t.Helper()
		value, _ := object[field].(string)
		if !regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(value) {
			t.Errorf("%s is %q, want %s", field, value, pattern)
		}
		return value
	}
	const id, any1 = `SPDXRef-[a-zA-Z0-9.-]+`, `.+`
	match(d, "spdxVersion", `SPDX-2\.3`)
	match(d, "dataLicense", `CC0-1\.0`)
	match(d, "SPDXID", `SPDXRef-DOCUMENT`)
	match(d, "name", any1)
	match(d, "documentNamespace", `https://[^#\s]+`)
	creation, _ := d["creationInfo"].(map[string]any)
	match(creation, "created", `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	for _, creator := range creation["creators"].([]any) {
		if !regexp.MustCompile(`^(Person|Organization|Tool): .+`).MatchString(creator.(string)) {
			t.Errorf("a creator is %q", creator)
		}
	}
	ids := map[string]bool{"SPDXRef-DOCUMENT": true}
	for _, p := range d["packages"].([]any) {
		object := p.(map[string]any)
		match(object, "name", any1)
		match(object, "downloadLocation", `NOASSERTION|NONE|(https|git\+https)://.+`)
		match(object, "versionInfo", any1)
		name := match(object, "SPDXID", id)
		if ids[name] {
			t.Errorf("two packages have the id %s", name)
		}
		ids[name] = true
		if object["filesAnalyzed"] != false {
			t.Errorf("%s: files are said to be analyzed, and that wants a packageVerificationCode", name)
		}
		for _, ref := range object["externalRefs"].([]any) {
			match(ref.(map[string]any), "referenceCategory", `PACKAGE-MANAGER`)
			match(ref.(map[string]any), "referenceType", `purl`)
			match(ref.(map[string]any), "referenceLocator", `pkg:golang/[a-z0-9./_~-]+@[A-Za-z0-9.%_-]+(#[a-z0-9/-]+)?`)
		}
	}
	described := 0
	for _, r := range d["relationships"].([]any) {
		object := r.(map[string]any)
		from, to := match(object, "spdxElementId", id), match(object, "relatedSpdxElement", id)
		if match(object, "relationshipType", `DESCRIBES|CONTAINS|DEPENDS_ON`) == "DESCRIBES" {
			described++
		}
		if !ids[from] || !ids[to] {
			t.Errorf("%s and %s are related, and one is missing", from, to)
		}
	}
	if described != 1 {
		t.Errorf("the document describes %d packages", described)
	}
}

func checkProvenance(t *testing.T, r *release) {
	var s statement
	if err := json.Unmarshal(readFile(t, r.out, "provenance.intoto.json"), &s); err != nil {
		t.Fatal(err)
	}
	if s.Type != "https://in-toto.io/Statement/v1" || s.PredicateType != "https://slsa.dev/provenance/v1" || s.Predicate.RunDetails.Builder.ID == "" ||
		s.Predicate.BuildDefinition.BuildType == "" || s.Predicate.BuildDefinition.ResolvedDependencies[0].Digest["gitCommit"] != testRevision {
		t.Errorf("the statement is %+v", s)
	}
	subjects := map[string]string{}
	for _, subject := range s.Subject {
		subjects[subject.Name] = subject.Digest["sha256"]
	}
	for _, image := range images(t, r) {
		if "sha256:"+subjects[image[0]] != image[2] {
			t.Errorf("%s is missing", image[0])
		}
	}
	for _, file := range []string{"install.yaml", "sallyport.yaml", r.archive(here)} {
		if subjects[file] != digest(readFile(t, r.out, file)) {
			t.Errorf("%s is missing", file)
		}
	}
}

// checkPush publishes to a registry in this process, under names that lead there.
func checkPush(t *testing.T, r *release) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	from := t.TempDir()
	list := strings.ReplaceAll(string(readFile(t, r.out, imageList)), "registry.example.test", host)
	if err := errors.Join(os.CopyFS(from, os.DirFS(r.out)), os.WriteFile(filepath.Join(from, imageList), []byte(list), 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more changes nothing
		if err := run(t.Context(), []string{"push", "-from", from}); err != nil {
			t.Fatal(err)
		}
	}
	tag, hash, _ := strings.Cut(strings.Fields(list)[0], "@")
	ref, err := name.ParseReference(tag)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := index.Digest(); err != nil || got.String() != hash {
		t.Errorf("the registry has %s, want %s (%v)", got, hash, err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	err = pushImage(t.Context(), from, tag, "sha256:"+strings.Repeat("0", 64))
	if err == nil || !strings.Contains(err.Error(), "a version never changes") {
		t.Errorf("a version was published a second time: %v", err)
	}
}

func TestSPDXOfModulesWithUnusualNames(t *testing.T) {
	if got := purl("github.com/Azure/go-ansiterm", "v2.0.1+incompatible", "").ReferenceLocator; got != "pkg:golang/github.com/azure/go-ansiterm@v2.0.1%2Bincompatible" {
		t.Errorf("the locator is %s", got)
	}
}
