package verify

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// Verifier judges requests of one provider. It is immutable and safe for
// concurrent use.
type Verifier struct {
	schemes     []compiledScheme
	ids, types  []template
	credentials credentials
	handshakes  []compiledHandshake
	answering   *compiledScheme // of {…|hmac_hex} in answers; nil: no scheme can
	bodies      *places         // all places in bodies that the others read
	oracle      bool            // strangers can have a text signed: see oracle.go
}

// compiledScheme is a Scheme, checked and made ready.
type compiledScheme struct {
	name       string
	mediaType  string
	format     BodyFormat
	bordered   bool // only the format of the body marks where it ends: see border.go
	encoding   ContentEncoding
	when       conditions
	from       []place
	signature  Signature
	candidates int // that a request may have
	decode     func(string) ([]byte, error)
	named      Algorithm
	algorithm  keymaterial.Parser
	credential bool
	keySteps   []keymaterial.Step
	encoded    bool // secrets are written in an encoding: see encodesKey
	keyID      *place
	source     *compiledSource
	token      *compiledToken
	contents   []template
	urlForms   []URLForm
	id         *place
	timestamp  *compiledTimestamp
	headers    *compiledSignedHeaders
	bodyDigest *compiledDigest
	require    conditions
	// require, taken apart: what is judged before the signature, and what after it.
	requireFixed, requireAllowed conditions
	methods                      []string
}

// delivers reports whether events come by that method; empty: POST.
func (s *compiledScheme) delivers(method string) bool {
	return slices.Contains(s.methods, cmp.Or(method, http.MethodPost))
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

	absentWhenEmpty bool
}

// keyed reports whether secrets are written "<key id>:<secret>".
func (s *compiledScheme) keyed() bool { return s.keyID != nil || s.signature.Pairs != nil }

// bearer reports whether the signature of a request would be good on another body, too.
func (s *compiledScheme) bearer() bool {
	return s.credential || s.token != nil && !s.coversBody(nil)
}

// Compile checks a provider and makes it ready. The error is a list of
// everything that is wrong; each line names the field.
func Compile(p Provider) (*Verifier, error) {
	c := &compiler{parameters: p.Parameters, fetched: map[string]string{}}
	v := &Verifier{schemes: make([]compiledScheme, len(p.Schemes))}
	if len(p.Schemes) == 0 || len(p.Schemes) > maxSchemes {
		c.fail("schemes", fmt.Errorf("there must be from 1 to %d", maxSchemes))
	}
	c.checkParameters()
	for i := range p.Schemes {
		v.schemes[i] = c.scheme(fmt.Sprintf("schemes[%d]", i), &p.Schemes[i])
		c.tokens = c.tokens || p.Schemes[i].Algorithm == JSONWebToken
	}
	c.reachable(v.schemes)
	v.ids = c.identity("identity.id", p.Identity.ID, forID)
	v.types = c.identity("identity.type", p.Identity.Type, forType)
	c.checkDigestIDs(v)
	v.credentials = c.credentials(v.schemes)
	v.answering = answering(v.schemes, p.Schemes)
	v.handshakes = c.handshakes(p.Handshakes, v)
	v.oracle = slices.ContainsFunc(v.handshakes, func(h compiledHandshake) bool { return h.unsigned && h.answer.signs() })
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	v.bodies = newPlacesOf(v)
	return v, nil
}

// compiler collects what is wrong.
type compiler struct {
	parameters []Parameter
	fetched    map[string]string // pointers of the key sources, by URL
	tokens     bool              // a scheme verifies tokens, so that there may be claims
	errs       []error
}

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

// place compiles an optional location outside of tokens.
func (c *compiler) place(field string, l *Location) *place {
	at := c.placeOrClaim(field, l)
	c.check(at == nil || at.kind != inClaim, field+".claim", "can't be used here: claims are those of a verified token")
	return at
}

// placeOrClaim compiles an optional location.
func (c *compiler) placeOrClaim(field string, l *Location) *place {
	if l == nil {
		return nil
	}
	at, err := l.compile()
	c.fail(field, err)
	return &at
}

// checkParameters checks the names of the parameters.
func (c *compiler) checkParameters() {
	c.check(len(c.parameters) <= maxParameters, "parameters", "there may be at most %d", maxParameters)
	for i, parameter := range c.parameters {
		field := fmt.Sprintf("parameters[%d]", i)
		c.fail(field, text("name", parameter.Name))
		c.check(!strings.ContainsAny(parameter.Name, "{}|:"), field, "the name %q must not contain '{', '}', '|' and ':'", parameter.Name)
		for _, other := range c.parameters[:i] {
			c.check(parameter.Name != other.Name, field, "the name %q occurs twice", parameter.Name)
		}
	}
}

// declared checks that the provider declares a parameter. An empty name means none.
func (c *compiler) declared(field, name string) {
	known := slices.ContainsFunc(c.parameters, func(p Parameter) bool { return p.Name == name })
	c.check(known || name == "", field, "%q is not a parameter of the provider: declare it in parameters", name)
}

// template compiles a template. What it needs beside the request must be there.
func (c *compiler) template(field, text string, u use) template {
	t, err := parseTemplate(text, u)
	c.fail(field, err)
	for _, part := range t {
		c.declared(field, part.variable.parameter)
		c.check(part.variable.at.kind != inClaim || c.tokens, field, "%s: there are no claims without the algorithm JWT", part.variable.at)
	}
	return t
}

// identity compiles the templates of an id or a type.
func (c *compiler) identity(field string, texts []string, u use) []template {
	required := u == forID
	c.check(len(texts) <= maxTemplates && (len(texts) > 0 || !required), field,
		"there must be from 1 to %d templates; {body_sha256} serves where the sender has no id", maxTemplates)
	templates := make([]template, len(texts))
	for i, text := range texts {
		field := fmt.Sprintf("%s[%d]", field, i)
		templates[i] = c.template(field, text, u)
		constant := len(templates[i]) == 1 && templates[i][0].literal != ""
		c.check(!required || !constant, field, "%q is the same for every event: use a variable", text)
		first, other := templates[i].arrays()
		c.check(required || other == "", field, "%q runs over two arrays, {%s…} and {%s…}: use places of one array, which are the same up to the last '*'",
			text, first, other)
		c.check(!required || !templates[i].adjacent(), field, "%q has two variables side by side: put a text between them, or two events could have one id", text)
	}
	return templates
}

// reachable refuses a scheme that an earlier one always judges first.
func (c *compiler) reachable(schemes []compiledScheme) {
	for i := range schemes {
		later := &schemes[i]
		for j := range schemes[:i] {
			earlier := &schemes[j]
			c.check(earlier.name != later.name, fmt.Sprintf("schemes[%d].name", i), "%q is the name of another scheme, too", later.name)
			shadowed := len(earlier.when) == 0 && (earlier.mediaType == "" || earlier.mediaType == later.mediaType)
			shadowed = shadowed && !slices.ContainsFunc(later.methods, func(method string) bool { return !earlier.delivers(method) })
			for _, at := range later.from {
				shadowed = shadowed && slices.ContainsFunc(earlier.from, at.same)
			}
			c.check(!shadowed || len(later.from) == 0, fmt.Sprintf("schemes[%d]", i),
				"%q is never reached: %q has the same places and judges first; make two providers, or tell them apart by methods, mediaType or when", later.name, earlier.name)
		}
	}
}
