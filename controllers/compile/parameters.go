package compile

import (
	"bytes"
	"slices"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// parameters are the values that an endpoint gives to its provider's parameters.
type parameters struct {
	list     []route.Parameter
	notes    []string
	problems Problems
}

// values are the parameters by name.
func (p parameters) values() verify.Parameters {
	values := verify.Parameters{}
	for _, parameter := range p.list {
		values[parameter.Name] = append(values[parameter.Name], parameter.Value)
	}
	return values
}

func (p *parameters) add(name string, value []byte) {
	p.list = append(p.list, route.Parameter{Name: name, Entry: route.ParameterEntry(len(p.list)), Value: secret.New(value)})
}

func (p *parameters) problem(reason, format string, args ...any) {
	p.problems = append(p.problems, problem(reason, format, args...)...)
}

// resolveParameters gathers the values, the sensitive ones from the endpoint's
// Secret. It reports what is missing, and what the provider doesn't know: a misspelt
// parameter may be the one that restricts who can send.
func resolveParameters(endpoint *v1alpha1.WebhookEndpoint, sender *provider.Sender, facts SecretFacts) parameters {
	var p parameters
	if !sender.Known() {
		return p
	}
	for _, given := range endpoint.Spec.Parameters {
		i := slices.IndexFunc(sender.Parameters, func(d v1alpha1.ProviderParameter) bool { return d.Name == given.Name })
		switch {
		case i < 0:
			p.problem(v1alpha1.ReasonParameterUnknown, "The provider %q has no parameter %q: take it out of spec.parameters, or mend its name.",
				endpoint.Spec.Provider, given.Name)
		case sender.Parameters[i].Sensitive:
			p.problem(v1alpha1.ReasonParameterUnknown,
				"The parameter %q of the provider %q is a secret: take it out of spec.parameters, where everybody can read it, and put it into the entry %q of the Secret.",
				given.Name, endpoint.Spec.Provider, given.Name)
		}
	}
	for _, declared := range sender.Parameters {
		if declared.Sensitive {
			p.takeSensitive(endpoint, declared, facts)
		} else {
			p.takePlain(endpoint, declared)
		}
	}
	return p
}

func (p *parameters) takePlain(endpoint *v1alpha1.WebhookEndpoint, declared v1alpha1.ProviderParameter) {
	before := len(p.list)
	for _, given := range endpoint.Spec.Parameters {
		if given.Name == declared.Name {
			for _, value := range given.Values {
				p.add(declared.Name, []byte(value))
			}
		}
	}
	if declared.Required && len(p.list) == before {
		p.problem(v1alpha1.ReasonParameterMissing, "The provider %q needs the parameter %q: add it to spec.parameters. It is: %s",
			endpoint.Spec.Provider, declared.Name, declared.Description)
	}
}

// takeSensitive reads a parameter from the endpoint's Secret. resolveSecret reports a
// Secret that is missing.
func (p *parameters) takeSensitive(endpoint *v1alpha1.WebhookEndpoint, declared v1alpha1.ProviderParameter, facts SecretFacts) {
	ref := endpoint.Spec.SecretRef
	if ref == nil || !facts.Found {
		return
	}
	value, trimmed := provider.TrimNewline(facts.Entries[declared.Name])
	switch {
	case len(bytes.TrimSpace(value)) > 0 && !bytes.Equal(keymaterial.Unwrapped(value), value):
		p.problem(v1alpha1.ReasonParameterInvalid, "The entry %q of the Secret %q has white space or quotation marks around it: take them away.",
			declared.Name, ref.Name)
	case len(bytes.TrimSpace(value)) > 0:
		p.add(declared.Name, value)
		if trimmed {
			p.notes = append(p.notes, newlineNote(declared.Name, ref.Name))
		}
	case declared.Required:
		p.problem(v1alpha1.ReasonParameterMissing, "The provider %q needs the parameter %q: put it into the entry %q of the Secret %q. It is: %s",
			endpoint.Spec.Provider, declared.Name, declared.Name, ref.Name, declared.Description)
	}
}
