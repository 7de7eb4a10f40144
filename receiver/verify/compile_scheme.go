package verify

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// scheme compiles one scheme.
func (c *compiler) scheme(field string, s *Scheme) compiledScheme {
	k := compiledScheme{name: s.Name, mediaType: s.MediaType, format: s.BodyFormat, encoding: s.ContentEncoding, signature: s.Signature, named: s.Algorithm, credential: s.Algorithm.credential(), urlForms: s.URLForms}
	c.fail(field+".name", text("name", s.Name))
	c.mediaType(field+".mediaType", s.MediaType)
	c.body(field, s)
	k.methods = c.methods(field+".methods", s.Methods)
	k.when = c.conditions(field+".when", s.When, false)
	c.check(!slices.ContainsFunc(s.When, func(w Condition) bool { return w.Parameter != "" }), field+".when",
		"must not use a parameter: whether a value is allowed is judged after the signature; move it to require")
	var err error
	k.algorithm = algorithms[s.Algorithm]
	c.check(k.algorithm != nil, field+".algorithm", "%q is not an algorithm: there are HMAC-SHA1, HMAC-SHA256, HMAC-SHA512, "+
		"SHA256, Ed25519, ECDSA-P256-SHA256, RSA-SHA1, RSA-SHA256, Token, Basic and JWT", s.Algorithm)
	c.check(s.JWT == nil || s.Algorithm == JSONWebToken, field+".jwt", "is for the algorithm JWT")
	k.encoded = encodesKey(s)
	k.keySteps, err = keymaterial.ParseSteps(s.Key)
	c.fail(field+".key", err)
	k.keyID = c.place(field+".keyID", s.KeyID)
	k.source = c.keySource(field+".keySource", s)
	c.signature(field+".signature", s, &k)
	k.id = c.place(field+".id", s.ID)
	k.timestamp = c.timestamp(field+".timestamp", s)
	k.headers = c.signedHeaders(field+".signedHeaders", s.SignedHeaders)
	c.contents(field, s, &k)
	c.digest(field+".bodyDigest", s.BodyDigest, &k)
	k.bordered = slices.ContainsFunc(k.contents, func(t template) bool { return len(k.beside(t)) > 0 })
	k.require = c.conditions(field+".require", s.Require, false)
	k.requireAllowed, k.requireFixed = k.require.byParameter()
	switch {
	case k.credential:
		c.credential(field, s)
	case s.Algorithm == JSONWebToken:
		c.token(field, s, &k)
	default:
		c.coverage(field, s, &k)
	}
	return k
}

// deliveryMethods are those by which events can come.
var deliveryMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// methods compiles the methods by which the sender delivers.
func (c *compiler) methods(field string, names []string) []string {
	if len(names) == 0 {
		return []string{http.MethodPost}
	}
	for i, name := range names {
		c.check(slices.Contains(deliveryMethods, name) && !slices.Contains(names[:i], name), field,
			"%q must be one of %s, and occur once", name, strings.Join(deliveryMethods, ", "))
	}
	return names
}

func (c *compiler) mediaType(field, text string) {
	if text == "" {
		return
	}
	name, parameters, err := mime.ParseMediaType(text)
	c.check(err == nil && name == text && len(parameters) == 0 && len(text) <= maxName, field,
		"%q must be a media type in lower case without parameters, for example application/json", text)
}

// body checks the format and the encoding of the body.
func (c *compiler) body(field string, s *Scheme) {
	formats := []BodyFormat{"", AnyBody, JSONBody, JSONObject, JSONArray, FormBody}
	c.check(slices.Contains(formats, s.BodyFormat), field+".bodyFormat", "is %q: it must be Any, JSON, JSONObject, JSONArray or Form", s.BodyFormat)
	encodings := []ContentEncoding{"", AsSent, Decoded}
	c.check(slices.Contains(encodings, s.ContentEncoding), field+".contentEncoding", "is %q: it must be AsSent or Decoded", s.ContentEncoding)
}

func (c *compiler) signature(field string, s *Scheme, k *compiledScheme) {
	c.check(len(s.Signature.From) > 0 && len(s.Signature.From) <= maxPlaces, field+".from", "there must be from 1 to %d places", maxPlaces)
	for i := range s.Signature.From {
		at := c.place(fmt.Sprintf("%s.from[%d]", field, i), &s.Signature.From[i])
		c.check(!slices.ContainsFunc(k.from, at.same), field+".from", "%s occurs twice", at)
		c.check(!s.Signature.Repeated || at.kind == inHeader, field+".repeated", "only a header can be repeated")
		k.from = append(k.from, *at)
	}
	c.fail(field, s.Signature.validate())
	k.candidates = maxCandidates
	if slices.Contains(publicKeyed, s.Algorithm) {
		k.candidates = maxPublicCandidates
	}
	c.fail(field+".encoding", s.Signature.Encoding.validate())
	c.check(s.KeyID == nil || s.Signature.Pairs == nil, field+".pairs", "pairs name the key already: drop keyID")
	k.decode = s.Signature.Encoding.decode
	if s.Algorithm == Basic {
		k.decode = decodeBasic
	}
}

// timestamp compiles a timestamp. It is in the signature, or in a place of its own.
func (c *compiler) timestamp(field string, s *Scheme) *compiledTimestamp {
	keyed := s.Signature.KeyValue != nil && s.Signature.KeyValue.TimestampKey != ""
	if s.Timestamp == nil {
		c.check(!keyed, field, "signature.keyValue.timestampKey is set: say here how the timestamp is written")
		return nil
	}
	t := &compiledTimestamp{inSignature: s.Timestamp.From == nil, unit: s.Timestamp.Unit}
	t.tolerance = time.Duration(s.Timestamp.ToleranceSeconds) * time.Second
	c.check(keyed == t.inSignature, field+".from", "say where it is: either here or as signature.keyValue.timestampKey")
	if at := c.place(field+".from", s.Timestamp.From); at != nil {
		t.from = *at
	}
	c.check(t.unit.known(), field+".unit", "is %q: it must be Seconds, Milliseconds or RFC3339", t.unit)
	c.check(s.Timestamp.ToleranceSeconds >= 0 && s.Timestamp.ToleranceSeconds <= maxTolerance, field+".toleranceSeconds",
		"must be from 0 (not judged) to %d", maxTolerance)
	c.check(t.tolerance == 0 || t.unit != "", field+".unit", "is missing: a tolerance needs a timestamp that is understood")
	return t
}

func (c *compiler) contents(field string, s *Scheme, k *compiledScheme) {
	c.check(len(s.AlternativeContent) <= maxAlternatives, field+".alternativeContent", "there may be at most %d", maxAlternatives)
	c.check(s.Content != "" || len(s.AlternativeContent) == 0, field+".content", "is missing")
	for i, text := range s.contents() {
		name := field + ".content"
		if i > 0 {
			name = fmt.Sprintf("%s.alternativeContent[%d]", field, i-1)
		}
		t := c.template(name, text, forContent)
		k.contents = append(k.contents, t)
		c.check(!t.has(varTimestamp) || s.Timestamp != nil, name, "contains {timestamp}: say in timestamp where that is")
		c.check(!t.has(varID) || s.ID != nil, name, "contains {id}: say in id where that is")
		c.check(t.has(varID) || s.ID == nil, name, "lacks {id}: an id that is not signed belongs into identity, as {header:…}")
		c.check(t.has(varSecret) == (s.Algorithm == SHA256), name, "{secret} belongs into the content of the algorithm SHA256, and of no other")
		c.check(t.hasURL() || len(s.URLForms) == 0, field+".urlForms", "needs {url} or {request_uri} in the content")
		c.check(t.has(varSignedHeaders) == (s.SignedHeaders != nil), name, "contains {signed_headers} if, and only if, signedHeaders says which those are")
	}
	c.check(len(s.URLForms) <= maxAlternatives, field+".urlForms", "there may be at most %d", maxAlternatives)
	for _, form := range s.URLForms {
		c.fail(field+".urlForms", form.validate())
	}
	if len(k.urlForms) == 0 {
		k.urlForms = []URLForm{URLAsGiven}
	}
}

func (c *compiler) digest(field string, d *BodyDigest, k *compiledScheme) {
	if d == nil {
		return
	}
	at := c.placeOrClaim(field+".from", &d.From)
	c.fail(field+".encoding", d.Encoding.validate())
	k.bodyDigest = &compiledDigest{from: *at, encoding: d.Encoding, optional: d.Optional, absentWhenEmpty: d.AbsentWhenEmpty}
	c.check(!d.Optional || !d.AbsentWhenEmpty, field, "set at most one of optional and absentWhenEmpty")
	c.check(d.Encoding != Text, field+".encoding", "must be Hex, Base64 or Base64URL")
	for _, t := range k.contents {
		c.check(t.reads(*at) || at.kind == inQuery && t.hasURL(), field+".from", "%s is not part of what is signed, so it proves nothing", at)
	}
}

// errCredential is for fields that mean nothing where nothing is signed.
var errCredential = errors.New("has no meaning for the algorithms Token and Basic: they sign nothing")

// credential checks a scheme that compares a secret.
func (c *compiler) credential(field string, s *Scheme) {
	for name, set := range map[string]bool{
		".content": s.Content != "", ".key": len(s.Key) > 0, ".keyID": s.keyID(), ".id": s.ID != nil,
		".timestamp": s.Timestamp != nil, ".bodyDigest": s.BodyDigest != nil, ".urlForms": len(s.URLForms) > 0,
		".bodyUnsigned": s.BodyUnsigned, ".signature.list": s.Signature.List != nil, ".signature.keyValue": s.Signature.KeyValue != nil,
	} {
		if set {
			c.fail(field+name, errCredential)
		}
	}
	c.check(s.Signature.Encoding == Text, field+".signature.encoding", "must be Text for the algorithms Token and Basic")
	if s.Algorithm == Basic {
		basic := len(s.Signature.From) == 1 && s.Signature.From[0].Header != "" && s.Signature.Prefix == ""
		c.check(basic, field+".signature", "Basic is read from one header, without a prefix")
	}
}

// keyID reports whether secrets of s are written "<key id>:<secret>".
func (s *Scheme) keyID() bool { return s.KeyID != nil || s.Signature.Pairs != nil }

// coverage checks that everything which matters is signed, or that the scheme
// admits that it isn't.
func (c *compiler) coverage(field string, s *Scheme, k *compiledScheme) {
	c.check(s.Content != "", field+".content", "is missing: say what is signed, for example {body}")
	for _, t := range k.contents {
		covered := k.coversPartOfBody(t)
		c.check(covered || s.BodyUnsigned, field+".content", "contains nothing of the body: add {body}, or set bodyUnsigned if the sender really doesn't sign it")
		c.check(!covered || !s.BodyUnsigned, field+".bodyUnsigned", "is set, but the content contains the body")
		if k.timestamp != nil {
			c.check(k.coversTimestamp(t), field+".timestamp", "is not part of what is signed, so it proves nothing")
		}
	}
}
