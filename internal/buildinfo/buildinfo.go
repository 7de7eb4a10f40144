// Package buildinfo says which build of a program is running: in a line for people,
// and as the metric sallyport_build_info.
package buildinfo

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// A release sets these with the linker's -X. Other builds leave them empty.
var version, revision string

// Info describes a build.
type Info struct {
	// Version is that of the release, for example v0.1.0; (devel) for other builds.
	Version string
	// Revision is the commit; unknown if nobody told the Go tools.
	Revision string
	// GoVersion is that of the compiler, for example go1.26.8.
	GoVersion string
}

// Get returns the description of this build.
func Get() Info {
	info := Info{Version: version, Revision: revision, GoVersion: runtime.Version()}
	if build, ok := debug.ReadBuildInfo(); ok {
		info.complete(build)
	}
	if info.Version == "" {
		info.Version = "(devel)"
	}
	if info.Revision == "" {
		info.Revision = "unknown"
	}
	return info
}

// complete fills in what the linker was not told from what the Go tools noted.
// Those know a version after "go install sallyport.dev/sallyport/...@v0.1.0".
func (i *Info) complete(build *debug.BuildInfo) {
	if i.Version == "" {
		i.Version = build.Main.Version
	}
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" && i.Revision == "" {
			i.Revision = setting.Value
		}
	}
}

// String is the line that --version prints behind the program's name.
func (i Info) String() string {
	return i.Version + " (" + i.Revision + ") " + i.GoVersion + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// Collector returns the metric sallyport_build_info. Its value is always 1; the labels
// are what it tells.
func Collector() prometheus.Collector {
	info := Get()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sallyport_build_info",
		Help: "The build of this program: always 1, with its version, commit and Go version as labels.",
		ConstLabels: prometheus.Labels{
			"version": info.Version, "revision": info.Revision, "goversion": info.GoVersion,
		},
	}, func() float64 { return 1 })
}
