package verify

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Verifier judges requests of one provider. It is immutable and safe for
// concurrent use.
type Verifier struct {
	schemes     []compiled
	ids, types  []template
	credentials []string
}

// compiled is a Scheme, checked and made ready.
type compiled struct {
	name       string
	mediaType  string
	from       []place
	signature  Signature
	decode     func(string) ([]byte, error)
	algorithm  parser
	credential bool
	keySteps   []step
	keyID      *place
	contents   []template
	urlForms   []URLForm
	id         *place
	timestamp  *compiledTimestamp
	bodyDigest *compiledDigest
	require    []requirement
}

type compiledTimestamp struct {
	inSignature bool
	from        place
	unit        Unit
	tolerance   time.Duration
}

type compiledDigest struct {
	from     place
	encoding Encoding
	optional bool
}

type requirement struct {
	at    place
	value string
}

// keyed reports whether secrets are written "<key id>:<secret>".
func (s *compiled) keyed() bool { return s.keyID != nil || s.signature.Pairs != nil }

// Compile checks a provider and makes it ready. The error is a list of
// everything that is wrong; each line names the field.
func Compile(p Provider) (*Verifier, error) {
	c := &compiler{}
	v := &Verifier{schemes: make([]compiled, len(p.Schemes))}
	if len(p.Schemes) == 0 || len(p.Schemes) > maxSchemes {
		c.fail("schemes", fmt.Errorf("there must be from 1 to %d", maxSchemes))
	}
	for i := range p.Schemes {
		v.schemes[i] = c.scheme(fmt.Sprintf("schemes[%d]", i), &p.Schemes[i])
	}
	c.reachable(v.schemes)
	v.ids = c.identity("identity.id", p.Identity.ID, true)
	v.types = c.identity("identity.type", p.Identity.Type, false)
	v.credentials = credentialHeaders(v.schemes)
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	return v, nil
}

// CredentialHeaders are the headers that carry the secret itself (Token,
// Basic), in canonical form. Whoever stores or forwards the request removes them.
func (v *Verifier) CredentialHeaders() []string { return slices.Clone(v.credentials) }

func credentialHeaders(schemes []compiled) []string {
	var names []string
	for i := range schemes {
		for _, at := range schemes[i].from {
			if schemes[i].credential && at.kind == inHeader {
				names = append(names, http.CanonicalHeaderKey(at.name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// compiler collects what is wrong.
type compiler struct{ errs []error }

func (c *compiler) fail(field string, err error) {
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", field, err))
	}
}

// check fails unless ok.
func (c *compiler) check(ok bool, field, format string, args ...any) {
	if !ok {
		c.fail(field, fmt.Errorf(format, args...))
	}
}

// place compiles an optional location.
func (c *compiler) place(field string, l *Location) *place {
	if l == nil {
		return nil
	}
	at, err := l.compile()
	c.fail(field, err)
	return &at
}

// identity compiles the templates of an id or a type.
func (c *compiler) identity(field string, texts []string, required bool) []template {
	c.check(len(texts) <= maxTemplates && (len(texts) > 0 || !required), field,
		"there must be from 1 to %d templates; {body_sha256} serves where the sender has no id", maxTemplates)
	templates := make([]template, len(texts))
	for i, text := range texts {
		var err error
		templates[i], err = parseTemplate(text, forIdentity)
		c.fail(fmt.Sprintf("%s[%d]", field, i), err)
		constant := err == nil && len(templates[i]) == 1 && templates[i][0].literal != ""
		c.check(!required || !constant, fmt.Sprintf("%s[%d]", field, i), "%q is the same for every event: use a variable", text)
	}
	return templates
}

// reachable refuses a scheme that an earlier one always judges first.
func (c *compiler) reachable(schemes []compiled) {
	for i := range schemes {
		later := &schemes[i]
		for j := range schemes[:i] {
			earlier := &schemes[j]
			c.check(earlier.name != later.name, fmt.Sprintf("schemes[%d].name", i), "%q is the name of another scheme, too", later.name)
			shadowed := earlier.mediaType == "" || earlier.mediaType == later.mediaType
			for _, at := range later.from {
				shadowed = shadowed && slices.ContainsFunc(earlier.from, at.same)
			}
			c.check(!shadowed || len(later.from) == 0, fmt.Sprintf("schemes[%d]", i),
				"%q is never reached: %q has the same places and judges first; make two providers, or tell them apart by mediaType", later.name, earlier.name)
		}
	}
}
