package buildinfo

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// release sets what the linker sets for a release.
func release(t *testing.T, v, r string) {
	t.Helper()
	oldVersion, oldRevision := version, revision
	t.Cleanup(func() { version, revision = oldVersion, oldRevision })
	version, revision = v, r
}

func TestBuildsThatAreNoReleaseSaySo(t *testing.T) {
	release(t, "", "")
	if got := Get(); got.Version != "(devel)" || got.GoVersion != runtime.Version() {
		t.Errorf("the build is %+v", got)
	}
}

func TestReleasesSayTheirVersion(t *testing.T) {
	release(t, "v0.1.0-rc.1", "0123abcd")
	want := "v0.1.0-rc.1 (0123abcd) " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	if got := Get().String(); got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
}

func TestTheLinkerKnowsBetterThanTheGoTools(t *testing.T) {
	build := &debug.BuildInfo{Main: debug.Module{Version: "v0.2.0"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "cafe"}}}
	told := Info{Version: "v0.1.0", Revision: "0123"}
	told.complete(build)
	if told.Version != "v0.1.0" || told.Revision != "0123" {
		t.Errorf("the build is %+v", told)
	}
	var empty Info
	empty.complete(build)
	if empty.Version != "v0.2.0" || empty.Revision != "cafe" {
		t.Errorf("the build is %+v", empty)
	}
}

func TestMetric(t *testing.T) {
	release(t, "v0.1.0", "0123")
	want := `# HELP sallyport_build_info The build of this program: always 1, with its version, commit and Go version as labels.
# TYPE sallyport_build_info gauge
sallyport_build_info{goversion="` + runtime.Version() + `",revision="0123",version="v0.1.0"} 1
`
	if err := testutil.CollectAndCompare(Collector(), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(Collector()); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
