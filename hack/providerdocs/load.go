package main

import (
	"errors"
	"fmt"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// preset is a provider and what the compiler makes of it.
type preset struct {
	Name   string
	Spec   *v1alpha1.WebhookProviderSpec
	Sender *provider.Sender
}

// load reads the presets, ordered by name. It reports everything that keeps a
// preset from having a page.
func load() ([]preset, error) {
	objects, err := provider.Presets()
	if err != nil {
		return nil, err
	}
	presets, problems := make([]preset, len(objects)), make([]error, len(objects))
	for i, object := range objects {
		presets[i], problems[i] = newPreset(object)
	}
	return presets, errors.Join(problems...)
}

func newPreset(object *v1alpha1.WebhookProvider) (preset, error) {
	p := preset{Name: object.Name, Spec: &object.Spec, Sender: provider.Compile(object)}
	if err := p.check(); err != nil {
		return p, fmt.Errorf("preset %s: %w", p.Name, err)
	}
	return p, nil
}

// check wants what a page can't do without.
func (p *preset) check() error {
	facts := p.Spec.Facts
	if facts == nil {
		facts = &v1alpha1.ProviderFacts{}
	}
	var problems []error
	for _, rule := range []struct {
		broken bool
		text   string
	}{
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
