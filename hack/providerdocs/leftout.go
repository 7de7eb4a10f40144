package main

import (
	_ "embed"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"
)

// omission is a sender without a preset.
type omission struct {
	// Sender is its name, as people write it.
	Sender string `json:"sender"`
	// Preset is what the preset would be called; empty: it is not a whole sender.
	Preset string `json:"preset,omitempty"`
	// Reason is why there is none.
	Reason string `json:"reason"`
	// Docs is where to read on.
	Docs string `json:"docs,omitempty"`
}

//go:embed leftout.yaml
var leftOutText []byte

// leftOut reads the list.
func leftOut(presets []preset) ([]omission, error) {
	var list []omission
	if err := yaml.UnmarshalStrict(leftOutText, &list); err != nil {
		return nil, fmt.Errorf("leftout.yaml: %w", err)
	}
	for _, o := range list {
		if o.Sender == "" || o.Reason == "" {
			return nil, fmt.Errorf("leftout.yaml: %q needs a sender and a reason", o.Sender)
		}
		if slices.ContainsFunc(presets, func(p preset) bool { return p.Name == o.Preset }) {
			return nil, fmt.Errorf("leftout.yaml: there is a preset %s", o.Preset)
		}
	}
	return list, nil
}
