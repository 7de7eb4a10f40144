package main

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
)

// An in-toto statement with a SLSA provenance, version 1.
type statement struct {
	Type          string       `json:"_type"`
	Subject       []descriptor `json:"subject"`
	PredicateType string       `json:"predicateType"`
	Predicate     provenance   `json:"predicate"`
}

type descriptor struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest"`
}

type provenance struct {
	BuildDefinition buildDefinition `json:"buildDefinition"`
	RunDetails      runDetails      `json:"runDetails"`
}

type buildDefinition struct {
	BuildType            string            `json:"buildType"`
	ExternalParameters   map[string]string `json:"externalParameters"`
	InternalParameters   map[string]string `json:"internalParameters"`
	ResolvedDependencies []descriptor      `json:"resolvedDependencies"`
}

type runDetails struct {
	Builder builder `json:"builder"`
}

type builder struct {
	ID string `json:"id"`
}

// writeProvenance says of what everything so far was made, and how to make it again.
// Nobody has signed it: that is up to whoever publishes. It tells no time and no run, so
// that it is the same each time.
func (r *release) writeProvenance(context.Context, string) error {
	s := statement{
		Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1",
		Predicate: provenance{
			BuildDefinition: buildDefinition{
				BuildType: "https://sallyport.dev/hack/release/v1",
				ExternalParameters: map[string]string{
					"version": r.version, "image": r.image, "source": r.source,
					"platforms": joined(r.images), "plugins": joined(r.plugins),
				},
				InternalParameters: map[string]string{"go": runtime.Version(), "goflags": goFlags, "revision": r.revision},
				ResolvedDependencies: []descriptor{{
					URI: "git+" + r.source, Digest: map[string]string{"gitCommit": strings.TrimSuffix(r.revision, "-dirty")},
				}},
			},
			RunDetails: runDetails{builder{r.builder}},
		},
	}
	for _, made := range r.made {
		s.Subject = append(s.Subject, descriptor{Name: made.name, Digest: map[string]string{"sha256": made.sha256}})
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return r.write("provenance.intoto.json", append(text, '\n'))
}

func joined(platforms []platform) string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.String()
	}
	return strings.Join(names, ",")
}
