// Package vectors counts the recorded requests that presets are compared with,
// by preset and scheme. The requests are not part of this repository (see
// test/conformance); vectors.yaml has their numbers, for the docs.
package vectors

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"
)

// Counts are numbers of requests, by the name of the preset.
type Counts map[string]Provider

// Provider are the requests of one preset.
type Provider struct {
	// Schemes are deliveries by the name of the scheme. A delivery whose scheme
	// isn't stated, of a provider that has several, is counted under "any".
	Schemes map[string]Number `json:"schemes,omitempty"`
	// Handshakes are requests that are no events.
	Handshakes Number `json:"handshakes,omitzero"`
}

// Number is how many requests there are, by where they come from.
type Number struct {
	// Published by the sender, or by the makers of an SDK.
	Published int `json:"published,omitempty"`
	// Derived from a published one by one documented change.
	Derived int `json:"derived,omitempty"`
	// Synthetic: made by other software that follows the documentation.
	Synthetic int `json:"synthetic,omitempty"`
}

// Plus adds two numbers.
func (n Number) Plus(m Number) Number {
	return Number{Published: n.Published + m.Published, Derived: n.Derived + m.Derived, Synthetic: n.Synthetic + m.Synthetic}
}

// Any stands for a scheme that isn't stated.
const Any = "any"

//go:embed vectors.yaml
var kept []byte

// Read returns the counts that are kept.
func Read() (Counts, error) {
	counts := Counts{}
	return counts, yaml.UnmarshalStrict(kept, &counts)
}

// Schemes are the names of the schemes of each preset.
type Schemes map[string][]string

// vector is what counts of a request.
type vector struct {
	Provider string `json:"provider"`
	Variant  string `json:"variant"`
	Kind     string `json:"kind"`
	Origin   string `json:"origin"`
}

// Count counts the requests in a folder. It also returns the senders that there
// is no preset for, in order.
func Count(folder string, schemes Schemes) (Counts, []string, error) {
	counts, without := Counts{}, map[string]bool{}
	for _, name := range []string{"vectors.jsonl", "vectors_synthetic.jsonl"} {
		err := countFile(filepath.Join(folder, name), func(v vector) error {
			preset, scheme := schemes.place(v)
			if preset == "" {
				without[v.Provider] = true
				return nil
			}
			return counts.add(preset, scheme, v)
		})
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return counts, slices.Sorted(maps.Keys(without)), nil
}

// countFile hands each line of a file to add. A file that isn't there is empty.
func countFile(path string, add func(vector) error) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := json.NewDecoder(bufio.NewReader(file)); ; {
		var v vector
		switch err := lines.Decode(&v); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := add(v); err != nil {
			return err
		}
	}
}

// place is the preset and the scheme that a request is for. A variant that has a
// preset of its own is called <provider>-<variant>.
func (s Schemes) place(v vector) (preset, scheme string) {
	own, ok := s[v.Provider]
	apart := v.Provider + "-" + v.Variant
	switch {
	case slices.Contains(own, v.Variant):
		return v.Provider, v.Variant
	case len(s[apart]) > 0:
		return apart, s[apart][0]
	case !ok:
		return "", ""
	case len(own) == 1:
		return v.Provider, own[0]
	}
	return v.Provider, Any
}

func (c Counts) add(preset, scheme string, v vector) error {
	p := c[preset]
	number := p.Handshakes
	if v.Kind == "delivery" {
		number = p.Schemes[scheme]
	}
	switch v.Origin {
	case "published":
		number.Published++
	case "derived":
		number.Derived++
	case "synthetic":
		number.Synthetic++
	default:
		return fmt.Errorf("the origin %q of a vector is not known", v.Origin)
	}
	if v.Kind != "delivery" {
		p.Handshakes = number
	} else {
		if p.Schemes == nil {
			p.Schemes = map[string]Number{}
		}
		p.Schemes[scheme] = number
	}
	c[preset] = p
	return nil
}

const head = `# How many recorded requests each preset is compared with, by scheme and origin.
# Made by "go run ./hack/providerdocs -count-vectors <folder>".
`

// Text is what vectors.yaml has to be.
func (c Counts) Text() ([]byte, error) {
	text, err := yaml.Marshal(c)
	return append([]byte(head), text...), err
}
