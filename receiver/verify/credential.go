package verify

import (
	"net/http"
	"slices"
)

// credentials are the places that carry a secret: those in which schemes of the kinds
// Token and Basic look for it, those of tokens that are good on any body, and those
// that a condition compares with a secret parameter.
type credentials struct{ headers, queries []string }

// CredentialHeaders are the headers that carry the secret itself (Token, Basic), or a
// token that is good on any body, in canonical form. They must be removed before the
// request is stored or forwarded.
func (v *Verifier) CredentialHeaders() []string { return slices.Clone(v.credentials.headers) }

// CredentialQuery are the parameters of the URL that do, by name.
func (v *Verifier) CredentialQuery() []string { return slices.Clone(v.credentials.queries) }

func (c *compiler) credentials(schemes []compiledScheme) credentials {
	var found credentials
	for i := range schemes {
		s := &schemes[i]
		if s.bearer() {
			for _, at := range s.from {
				found.add(at)
			}
		}
		for _, condition := range slices.Concat(s.when, s.require) {
			if c.sensitive(condition.parameter) {
				found.add(condition.at)
			}
		}
	}
	for _, names := range []*[]string{&found.headers, &found.queries} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return found
}

func (c *credentials) add(at place) {
	switch at.kind {
	case inHeader:
		c.headers = append(c.headers, http.CanonicalHeaderKey(at.name))
	case inQuery:
		c.queries = append(c.queries, at.name)
	}
}

// sensitive reports whether a parameter has values that nobody may see.
func (c *compiler) sensitive(name string) bool {
	return name != "" && slices.ContainsFunc(c.parameters, func(p Parameter) bool { return p.Name == name && p.Sensitive })
}
