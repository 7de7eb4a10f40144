package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/verify"
)

// What an endpoint gets from a provider that says nothing (controllers/compile, provider).
const (
	defaultWindow       = 72 * time.Hour
	defaultMaxBodyBytes = "1Mi"
)

// NeedsSecret reports whether endpoints must name a Secret.
func (p *preset) NeedsSecret() bool { return p.Sender.Provider.NeedsSecret() || len(p.sensitive()) > 0 }

func (p *preset) sensitive() (names []string) {
	for _, parameter := range p.Spec.Parameters {
		if parameter.Sensitive {
			names = append(names, parameter.Name)
		}
	}
	return names
}

// SecretEntries are the entries of the Secret, with what goes into them.
func (p *preset) SecretEntries() (entries []string) {
	if p.Sender.Provider.NeedsSecret() {
		entries = append(entries, "secret='"+p.secretForm()+"'")
	}
	for _, name := range p.sensitive() {
		entries = append(entries, name+"='<"+name+">'")
	}
	return entries
}

// secretForm is what the secret looks like, for people.
func (p *preset) secretForm() string {
	for i := range p.Spec.Verify {
		s := &p.Spec.Verify[i]
		switch {
		case s.KeySource != nil:
			continue
		case s.Algorithm == "Basic":
			return "<user>:<password>"
		case s.KeyID != nil, s.Signature.Pairs != nil:
			return "<key id>:<secret>"
		case s.Algorithm == "Ed25519", s.Algorithm == "ECDSA-P256-SHA256", strings.HasPrefix(string(s.Algorithm), "RSA-"):
			return "<public key>"
		}
		break
	}
	return "<secret>"
}

// EndpointParameters are the required parameters that stand in the endpoint.
func (p *preset) EndpointParameters() (names []string) {
	for _, parameter := range p.Spec.Parameters {
		if parameter.Required && !parameter.Sensitive {
			names = append(names, parameter.Name)
		}
	}
	return names
}

// proofs are what is verified, for algorithms that are no signatures.
var proofs = map[v1alpha1.SignatureAlgorithm]string{
	"Token": "a shared token", "Basic": "user and password", "JWT": "a JSON Web Token", "SHA256": "a SHA-256 with the secret in it",
}

// Proofs are the different things that are verified, in the order of the schemes.
func (p *preset) Proofs() (names []string) {
	for i := range p.Spec.Verify {
		name, ok := proofs[p.Spec.Verify[i].Algorithm]
		if !ok {
			name = string(p.Spec.Verify[i].Algorithm)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// SignatureAt says where signatures are, in all schemes.
func (p *preset) SignatureAt() string {
	var places []string
	for i := range p.Spec.Verify {
		if at := locations(p.Spec.Verify[i].Signature.From); !slices.Contains(places, at) {
			places = append(places, at)
		}
	}
	return strings.Join(places, "; ")
}

// Content says what a scheme signs.
func (p *preset) Content(s *v1alpha1.SignatureScheme) string {
	if s.Content == "" {
		if s.JWT != nil {
			return "the token's claims"
		}
		return "nothing: the secret itself is sent"
	}
	if len(s.Content) > longContent {
		return "see below"
	}
	return code(string(s.Content))
}

// longContent is what a table has no room for.
const longContent = 120

// Details are what else to know of a scheme, a sentence each.
func (p *preset) Details(s *v1alpha1.SignatureScheme) (list []string) {
	say := func(there bool, format string, args ...any) {
		if there {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	say(len(s.Methods) > 0, "For requests by %s.", enumerate(codes(s.Methods), "and"))
	say(s.BodyFormat != "" && s.BodyFormat != "Any", "The body must be %s.", formats[s.BodyFormat])
	say(s.ContentEncoding == "Decoded", "Of a body with a Content-Encoding, what it is the encoding of is signed.")
	say(s.MediaType != "", "Only for bodies of the type %s.", code(s.MediaType))
	say(len(s.When) > 0, "Only where %s.", conditions(s.When))
	say(len(s.Content) > longContent, "What is signed: %s.", code(string(s.Content)))
	say(len(s.Key) > 0, "The key is made of the secret: %s.", keySteps(s.Key))
	say(s.KeyID != nil || s.Signature.Pairs != nil, "The request names the key; the secret is written %s.", code("<key id>:<secret>"))
	say(s.Signature.Repeated, "The header may occur several times; one signature that matches is enough.")
	say(len(s.AlternativeContent) > 0, "Also tried as signed content: %s.", enumerate(codes(s.AlternativeContent), "and"))
	say(len(s.URLForms) > 0, "Spellings of the URL that are tried: %s.", enumerate(codes(s.URLForms), "and"))
	if s.ID != nil {
		say(true, "%s is the %s, and is needed.", code("{id}"), location(*s.ID))
	}
	if s.BodyDigest != nil {
		say(true, "The SHA-256 of the body (%s) is in the %s%s.", encodings[s.BodyDigest.Encoding], location(s.BodyDigest.From), digestMayMiss(s.BodyDigest))
	}
	if s.SignedHeaders != nil {
		say(true, "The request names the headers that are signed in the %s.", location(s.SignedHeaders.From))
		say(len(s.SignedHeaders.Required) > 0, "Among them must be %s.", enumerate(codes(s.SignedHeaders.Required), "and"))
	}
	say(len(s.Require) > 0, "Refused unless %s.", conditions(s.Require))
	return append(list, append(keyDetails(s.KeySource), tokenDetails(s.JWT)...)...)
}

var formats = map[v1alpha1.BodyFormat]string{
	"JSON": "a JSON object or array", "JSONObject": "a JSON object", "JSONArray": "a JSON array", "Form": "a form",
}

func digestMayMiss(d *v1alpha1.BodyDigest) string {
	switch {
	case d.Optional:
		return ", which may be missing"
	case d.AbsentWhenEmpty:
		return ", which is missing only if the body is empty"
	}
	return ""
}

func keyDetails(source *v1alpha1.KeySource) []string {
	switch {
	case source == nil:
		return nil
	case source.JWKSURL != "":
		return []string{"The keys are at " + code(source.JWKSURL) + "; the manager fetches and refreshes them."}
	case source.PublicKey != nil:
		return []string{"The public key is at " + code(source.PublicKey.URL) + "; the manager fetches and refreshes it."}
	}
	return []string{certificateDetail(source.Certificate)}
}

func certificateDetail(c *v1alpha1.CertificateSource) string {
	text := fmt.Sprintf("The request names a certificate in the %s; receivers fetch it by HTTPS, only from hosts that match %s, at a path that matches %s, "+
		"without a query. It must be valid for %s, up to a trusted root.",
		location(c.From), code(c.HostPattern), code(c.PathPattern), enumerate(codes(c.DNSNames), "or"))
	if c.Issuers != nil {
		text += fmt.Sprintf(" Issuers that are not with it are fetched from hosts that match %s, at a path that matches %s.",
			code(c.Issuers.HostPattern), code(c.Issuers.PathPattern))
	}
	return text
}

func tokenDetails(token *v1alpha1.JSONWebToken) (list []string) {
	if token == nil {
		return nil
	}
	list = append(list, "Algorithms of the token that are accepted: "+enumerate(codes(token.Algorithms), "and")+".")
	for _, claim := range token.Claims {
		switch {
		case claim.Parameter != "":
			list = append(list, fmt.Sprintf("The claim %s must be a value of the parameter %s.", code(claim.Claim), code(claim.Parameter)))
		case claim.URLDigest != "":
			list = append(list, fmt.Sprintf("The claim %s must be the SHA-256 of the public URL with the query (%s).", code(claim.Claim), encodings[claim.URLDigest]))
		default:
			list = append(list, fmt.Sprintf("The claim %s must be %s.", code(claim.Claim), enumerate(codes(claim.Values), "or")))
		}
	}
	return list
}

// Unauthenticated are the sentences of the compiler about what isn't signed.
func (p *preset) Unauthenticated() (list []string) {
	for _, text := range p.Sender.Unauthenticated {
		scheme, gap, _ := strings.Cut(text, ": ")
		list = append(list, code(scheme)+": "+gap+".")
	}
	return list
}

// Window is for how long an event is remembered.
func (p *preset) Window() string {
	if p.Sender.Window > 0 {
		return duration(p.Sender.Window)
	}
	return duration(defaultWindow) + ", the default"
}

// MaxBodyBytes is the size of the largest body.
func (p *preset) MaxBodyBytes() string {
	if p.Spec.MaxBodyBytes != nil {
		return p.Spec.MaxBodyBytes.String()
	}
	return defaultMaxBodyBytes + ", the default"
}

// Remembered says what protection against replays there is.
func (p *preset) Remembered() string {
	subject := "The event id is not signed"
	if p.signsSomeIDs() {
		subject = "Not every scheme signs the event id"
	}
	switch unique := p.Sender.SignedContentUnique; {
	case p.Sender.Provider.IDCovered() && p.Sender.Provider.Movable():
		return "The event id is signed, but what is signed can be taken apart in more than one way. So a digest of it is remembered " +
			"as long as the id: the same content under another id is answered as a duplicate, with the reason `content-replayed`, " +
			"and not delivered, unless `deduplication.replayProtection` is `Off`."
	case p.Sender.Provider.IDCovered():
		return "The event id is signed, or made of what is signed. A request that is sent again has the id of the first, and is " +
			"a duplicate: nothing else has to be remembered, and `deduplication.replayProtection` changes nothing."
	case p.onlyCredentials():
		return "Nothing is signed, so nothing tells a replay from an event: whoever knows the secret can send what he likes. " +
			"`replayProtection: Strict` remembers a digest of each body, and then equal bodies count as one event."
	case unique:
		return subject + ", but what is signed is unique. With `replayProtection: Auto`, the default, a digest " +
			"of it is remembered as long as the id: the same content under another id is answered as a duplicate, with the " +
			"reason `content-replayed`, and not delivered."
	default:
		return subject + ", and what is signed may be equal for two genuine events. So with " +
			"`replayProtection: Auto`, the default, content is not remembered: whoever captured a request can send it again " +
			"under another id" + p.whileFresh() + ". `Strict` refuses that, and counts genuine events with equal content as one."
	}
}

// signsSomeIDs reports whether there is a scheme that signs the event id.
func (p *preset) signsSomeIDs() bool {
	for _, scheme := range p.Sender.Provider.Schemes {
		alone := p.Sender.Provider
		alone.Schemes = []verify.Scheme{scheme}
		if alone.IDCovered() {
			return true
		}
	}
	return false
}

// whileFresh says for how long a captured request can be used.
func (p *preset) whileFresh() string {
	for i := range p.Spec.Verify {
		s := &p.Spec.Verify[i]
		if s.Timestamp == nil || s.Timestamp.Tolerance == nil {
			return ", at any time"
		}
	}
	return ", while its timestamp is within the tolerance"
}

func (p *preset) onlyCredentials() bool {
	return !slices.ContainsFunc(p.Spec.Verify, func(s v1alpha1.SignatureScheme) bool {
		return s.Algorithm != "Token" && s.Algorithm != "Basic"
	})
}

// HandshakeRequest says which request a handshake is.
func (p *preset) HandshakeRequest(h *v1alpha1.Handshake) string {
	if len(h.Match) == 0 {
		return "every " + code(h.Method)
	}
	return code(h.Method) + ", where " + conditions(h.Match)
}

// EmptyRefusals reports whether the sender wants no body with a refusal.
func (p *preset) EmptyRefusals() bool {
	return p.Spec.Responses != nil && p.Spec.Responses.RefusalBody == v1alpha1.RefusalBodyEmpty
}

// HandshakeProof says what makes sure that the sender means it.
func (p *preset) HandshakeProof(h *v1alpha1.Handshake) string {
	var parts []string
	if h.Kind == "Probe" {
		parts = append(parts, "none: it only asks whether the URL exists")
	} else if h.Unsigned {
		parts = append(parts, "not signed")
	} else {
		parts = append(parts, "verified like an event")
	}
	if len(h.Guard) > 0 {
		parts = append(parts, "refused unless "+conditions(h.Guard))
	}
	return strings.Join(parts, "; ")
}

// HandshakeAnswer says what is answered.
func (p *preset) HandshakeAnswer(h *v1alpha1.Handshake) string {
	status := h.Answer.Status
	if status == 0 {
		status = http.StatusOK
	}
	parts := []string{code(fmt.Sprint(status))}
	for _, header := range h.Answer.Headers {
		parts = append(parts, code(header.Name+": "+string(header.Value)))
	}
	if h.Answer.Body != "" {
		parts = append(parts, "body "+code(string(h.Answer.Body)))
	}
	if len(h.Answer.JSON) > 0 {
		var members []string
		for _, member := range h.Answer.JSON {
			members = append(members, fmt.Sprintf("%q: %q", member.Name, string(member.Value)))
		}
		parts = append(parts, "JSON "+code("{"+strings.Join(members, ", ")+"}"))
	}
	text := strings.Join(parts, ", ")
	if h.Confirm != nil {
		text += fmt.Sprintf("; before that, the URL in the %s is requested (%s)", location(h.Confirm.From), confirmation(h.Confirm))
	}
	return text
}

// confirmation says which URLs are requested.
func confirmation(c *v1alpha1.Confirmation) string {
	text := "hosts: " + code(c.HostPattern) + "; paths: " + code(c.PathPattern)
	if c.QueryPattern != "" {
		return text + "; queries: " + code(c.QueryPattern)
	}
	return text + "; no query"
}

// answer is a row of the table of answers.
type answer struct{ When, Status string }

// Answers are what the provider gets to see.
func (p *preset) Answers() []answer {
	r := p.Spec.Responses
	if r == nil {
		r = &v1alpha1.ProviderResponses{}
	}
	success := "200 and a JSON object with `status`, `eventId` and `requestId`"
	if r.Success != nil {
		success = fmt.Sprint(r.Success.Status) + " and an empty body"
		if r.Success.Body != "" {
			success = fmt.Sprint(r.Success.Status) + " and the body " + code(r.Success.Body)
		}
		if r.Success.Status == http.StatusNoContent {
			success = "204"
		}
	}
	or := func(status int32, otherwise int) string {
		if status == 0 {
			return fmt.Sprint(otherwise)
		}
		return fmt.Sprint(status)
	}
	return []answer{
		{"the event is stored, or was before", success},
		{"a signature that is wrong, or too old", or(r.Unauthenticated, http.StatusUnauthorized)},
		{"a signature that is missing or malformed", or(r.Malformed, http.StatusBadRequest)},
		{"an event without an id, a body that is not what it should be", or(r.Invalid, http.StatusBadRequest)},
		{"a source that `limits.sourceRanges` doesn't have", or(r.Forbidden, http.StatusForbidden)},
		{"a larger body than `limits.maxBodyBytes`", or(r.TooLarge, http.StatusRequestEntityTooLarge)},
		{"more requests than `limits.rateLimit`", or(r.Overloaded, http.StatusTooManyRequests) + " with `Retry-After`"},
		{"anything wrong on this side", "503 with `Retry-After`"},
	}
}

// fact is a row of the table of facts.
type fact struct{ Name, Value, Source string }

// Facts are what is known of the sender.
func (p *preset) Facts() []fact {
	known := p.Spec.Facts
	rows := []fact{{"how it signs", "see above", confidence(known.Scheme)}}
	if known.AckSeconds > 0 {
		rows = append(rows, fact{"waits for an answer", fmt.Sprintf("%d s", known.AckSeconds), confidence(known.Delivery)})
	}
	add := func(name, value string, from v1alpha1.FactSource) {
		rows = append(rows, fact{name, value, source(from)})
	}
	add("delivers by", p.Methods(), *known.Methods)
	add("the event id", perEvent[known.ID.PerEvent]+"; over retries: "+overRetries[known.ID.OverRetries], known.ID.FactSource)
	add("repeats", cell(known.Retry), known.Retries.FactSource)
	add("a repeated request is signed", retrySigned[known.Retries.Signature], known.Retries.FactSource)
	add("the largest body", p.MaxBodyBytes(), *known.Bodies)
	add("takes for success", cell(known.Success), *known.Answers)
	add("probes and handshakes", p.handshakeNames(), *known.Handshakes)
	return rows
}

// source says where a fact comes from.
func source(from v1alpha1.FactSource) string {
	text := cell(from.Source)
	if at := address(from.Source); at != "" {
		text = "<" + at + ">"
	}
	return confidence(from.Confidence) + ": " + text
}

// Doubtful reports whether a fact of the page is not verified.
func (p *preset) Doubtful() bool {
	return slices.ContainsFunc(p.Facts(), func(f fact) bool { return strings.HasPrefix(f.Source, confidences["Unverified"]) })
}
