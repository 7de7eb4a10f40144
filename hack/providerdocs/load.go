package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
)

// preset is a provider and what the compiler makes of it.
type preset struct {
	Name   string
	Spec   *v1alpha1.WebhookProviderSpec
	Sender *compile.Sender
}

// load reads the manifests, ordered by name. It reports everything that keeps a
// preset from having a page.
func load(files fs.FS) ([]preset, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var (
		presets  []preset
		problems []error
	)
	for _, name := range names {
		p, err := loadOne(files, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		presets = append(presets, p)
	}
	slices.SortFunc(presets, func(a, b preset) int { return strings.Compare(a.Name, b.Name) })
	return presets, errors.Join(problems...)
}

func loadOne(files fs.FS, name string) (preset, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return preset{}, err
	}
	object := &v1alpha1.WebhookProvider{}
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		return preset{}, err
	}
	p := preset{Name: strings.TrimSuffix(name, ".yaml"), Spec: &object.Spec, Sender: compile.Provider(object)}
	return p, p.check(object.Name)
}

// check wants what a page can't do without.
func (p *preset) check(name string) error {
	facts := p.Spec.Facts
	if facts == nil {
		facts = &v1alpha1.ProviderFacts{}
	}
	var problems []error
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{name != p.Name, "metadata.name must be the name of the file"},
		{p.Spec.DisplayName == "", "spec.displayName is missing"},
		{facts.Scheme == "", "spec.facts.scheme is missing: say where the description comes from"},
		{facts.Secret == "", "spec.facts.secret is missing: say how to get the secret"},
		{facts.Events == "", "spec.facts.events is missing: say which events there are"},
		{len(facts.Docs) == 0, "spec.facts.docs is missing: say where to read on"},
		{p.Sender.Problem != "", p.Sender.Problem},
	} {
		if rule.broken {
			problems = append(problems, errors.New(rule.text))
		}
	}
	if p.Spec.Facts != nil {
		problems = append(problems, p.checkTruth())
	}
	return errors.Join(problems...)
}

func (p *preset) schemeNames() (names []string) {
	for i := range p.Spec.Verify {
		names = append(names, p.Spec.Verify[i].Name)
	}
	return names
}
