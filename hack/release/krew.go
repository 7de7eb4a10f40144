package main

import "sigs.k8s.io/yaml"

// krewName is how krew calls the plugin, and so how people who have it from there do:
// kubectl sallyport. Its naming guide refuses words as general as "hooks".
const krewName = "sallyport"

type krewManifest struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   krewMetadata `json:"metadata"`
	Spec       krewSpec     `json:"spec"`
}

type krewMetadata struct {
	Name string `json:"name"`
}

type krewSpec struct {
	Version          string         `json:"version"`
	Homepage         string         `json:"homepage"`
	ShortDescription string         `json:"shortDescription"`
	Description      string         `json:"description"`
	Platforms        []krewPlatform `json:"platforms"`
}

type krewPlatform struct {
	Selector krewSelector `json:"selector"`
	URI      string       `json:"uri"`
	SHA256   string       `json:"sha256"`
	Bin      string       `json:"bin"`
}

type krewSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

// writeKrew writes the manifest. krew links the program under the plugin's name,
// whatever it is called in the archive.
func (r *release) writeKrew() error {
	manifest := krewManifest{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: krewMetadata{krewName},
		Spec: krewSpec{
			Version: r.version, Homepage: r.source, ShortDescription: "Work with the webhooks that Sallyport receives",
			Description: `Sends signed test webhooks, shows events and dead letters, delivers them
again, pauses endpoints and follows what happens. It needs Sallyport in
the cluster, an operator for webhook endpoints.
`,
		},
	}
	for _, p := range r.plugins {
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, krewPlatform{
			Selector: krewSelector{map[string]string{"os": p.os, "arch": p.arch}},
			URI:      r.download + "/" + r.archive(p), SHA256: r.digestOf(r.archive(p)), Bin: p.pluginFile(),
		})
	}
	text, err := yaml.Marshal(manifest)
	if err != nil {
		return err
	}
	return r.write(krewName+".yaml", text)
}
