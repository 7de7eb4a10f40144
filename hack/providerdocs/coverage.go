package main

import (
	"fmt"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/hack/providerdocs/vectors"
)

// coverageRow is what a scheme or a handshake is tried with.
type coverageRow struct {
	Provider, What, Algorithm               string
	Examples, Published, Derived, Synthetic int
	Refused                                 int
	first                                   bool
}

// coverage are the rows of all presets.
func coverage(presets []preset, counts vectors.Counts) (rows []coverageRow) {
	for i := range presets {
		rows = append(rows, presets[i].coverage(counts[presets[i].Name])...)
	}
	return rows
}

// coverage has a row for each scheme, and one for each handshake. What isn't
// attributed to one of several schemes stands in the first row of the preset.
func (p *preset) coverage(count vectors.Provider) (rows []coverageRow) {
	for i := range p.Spec.Verify {
		s := &p.Spec.Verify[i]
		n := count.Schemes[s.Name]
		if i == 0 {
			n = n.Plus(count.Schemes[vectors.Any])
		}
		rows = append(rows, coverageRow{
			Provider: p.Name, What: s.Name, Algorithm: string(s.Algorithm),
			Examples: p.countTests(func(e *v1alpha1.Expectation) bool {
				return e.ID != "" && (e.Scheme == s.Name || e.Scheme == "" && i == 0)
			}),
			Published: n.Published, Derived: n.Derived, Synthetic: n.Synthetic,
		})
	}
	for i := range p.Spec.Handshakes {
		h := &p.Spec.Handshakes[i]
		row := coverageRow{
			Provider: p.Name, What: "handshake " + h.Name,
			Examples: p.countTests(func(e *v1alpha1.Expectation) bool { return e.Handshake != nil && e.Handshake.Name == h.Name }),
		}
		if i == 0 {
			row.Published, row.Derived, row.Synthetic = count.Handshakes.Published, count.Handshakes.Derived, count.Handshakes.Synthetic
		}
		rows = append(rows, row)
	}
	rows[0].first = true
	rows[0].Refused = p.countTests(func(e *v1alpha1.Expectation) bool { return e.Rejected != "" })
	return rows
}

func (p *preset) countTests(meant func(*v1alpha1.Expectation) bool) (n int) {
	for i := range p.Spec.Tests {
		if meant(&p.Spec.Tests[i].Expect) {
			n++
		}
	}
	return n
}

// RefusedText is empty in all but the first row of a preset.
func (r coverageRow) RefusedText() string {
	if !r.first {
		return ""
	}
	return fmt.Sprint(r.Refused)
}
