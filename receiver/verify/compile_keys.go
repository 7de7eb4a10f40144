package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// compiledSource is a KeySource, checked and made ready. Of url and certificate
// one is set.
type compiledSource struct {
	url         string // of a JWK Set or a public key; may contain {param:x}
	certificate *compiledCertificate
}

// publicKeyed are the algorithms whose keys may be known to everybody.
var publicKeyed = []Algorithm{Ed25519, ECDSAP256SHA256, RSASHA1, RSASHA256, JSONWebToken}

// keySource compiles where keys come from.
func (c *compiler) keySource(field string, s *Scheme) *compiledSource {
	k := s.KeySource
	if k == nil {
		return nil
	}
	source := &compiledSource{url: k.JWKSURL}
	set := 0
	if k.JWKSURL != "" {
		set++
		c.fetchURL(field+".jwksURL", k.JWKSURL)
		c.check(s.Algorithm == JSONWebToken, field+".jwksURL", "a JWK Set is for the algorithm JWT: use publicKey")
	}
	if k.PublicKey != nil {
		set++
		source.url = k.PublicKey.URL
		c.publicKey(field+".publicKey", k.PublicKey)
	}
	if k.Certificate != nil {
		set++
		source.certificate = c.certificate(field+".certificate", k.Certificate)
		c.check(s.Algorithm != JSONWebToken, field+".certificate", "has no meaning for the algorithm JWT: use jwksURL")
	}
	c.check(set == 1, field, "set exactly one of jwksURL, publicKey and certificate")
	c.check(slices.Contains(publicKeyed, s.Algorithm) && !s.JWT.shared(), field,
		"is for algorithms with public keys: a published key is no secret")
	c.check(len(s.Key) == 0, strings.TrimSuffix(field, "Source"), "is for secrets: with keySource it has no meaning")
	c.check(!s.keyID(), field, "with keyID and pairs the keys are secrets of the endpoint")
	return source
}

func (c *compiler) publicKey(field string, k *PublicKeySource) {
	c.fetchURL(field+".url", k.URL)
	c.check(!urlParameter.MatchString(k.URL), field+".url", "may have no variables")
	if k.JSON != "" {
		_, err := Location{JSON: k.JSON}.compile()
		c.fail(field+".json", err)
	}
	other, twice := c.fetched[k.URL]
	c.check(!twice || other == k.JSON, field+".json", "must be the same in all schemes that take a key from that URL")
	c.fetched[k.URL] = k.JSON
}

// fetchURL checks a URL, and that the parameters in it will have a value that
// may be seen.
func (c *compiler) fetchURL(field, text string) {
	names, err := checkURL(text)
	c.fail(field, err)
	for _, name := range names {
		c.parameter(field, name)
		sensitive := slices.ContainsFunc(c.parameters, func(p Parameter) bool { return p.Name == name && p.Sensitive })
		c.check(!sensitive, field, "the parameter %s is secret, and URLs are written into logs", name)
	}
}

// parameter checks that a parameter always has a value.
func (c *compiler) parameter(field, name string) {
	c.declared(field, name)
	optional := slices.ContainsFunc(c.parameters, func(p Parameter) bool { return p.Name == name && !p.Required })
	c.check(!optional, field, "the parameter %s must be required: nothing could be accepted without it", name)
}

func (c *compiler) certificate(field string, s *CertificateSource) *compiledCertificate {
	at := c.place(field+".from", &s.From)
	k := &compiledCertificate{from: *at, urls: c.urls(field, s.HostPattern, s.PathPattern, ""), names: s.DNSNames}
	c.dnsNames(field+".dnsNames", s.DNSNames, k.urls.hosts)
	if s.Issuers != nil {
		k.issuers = c.urls(field+".issuers", s.Issuers.HostPattern, s.Issuers.PathPattern, "")
		k.issuers.plain = true // what is fetched there is trusted for its place in a chain only
	}
	return k
}

// errToken is for fields that mean nothing where the signature is a token.
var errToken = errors.New("has no meaning for the algorithm JWT: a token brings its own")

// token checks a scheme whose signature is a token.
func (c *compiler) token(field string, s *Scheme, k *compiledScheme) {
	for _, other := range []struct {
		name string
		set  bool
	}{
		{".content", s.Content != ""}, {".alternativeContent", len(s.AlternativeContent) > 0}, {".urlForms", len(s.URLForms) > 0},
		{".keyID", s.KeyID != nil}, {".id", s.ID != nil}, {".timestamp", s.Timestamp != nil}, {".signedHeaders", s.SignedHeaders != nil},
		{".signature.list", s.Signature.List != nil}, {".signature.keyValue", s.Signature.KeyValue != nil},
		{".signature.pairs", s.Signature.Pairs != nil},
	} {
		if other.set {
			c.fail(field+other.name, errToken)
		}
	}
	c.check(s.Signature.Encoding == Text, field+".signature.encoding", "must be Text for the algorithm JWT")
	c.check(s.BodyDigest == nil || s.BodyDigest.From.Claim != "", field+".bodyDigest.from", "must be a claim: nothing else is signed")
	covered := s.BodyDigest != nil && !s.BodyDigest.Optional
	c.check(covered || s.BodyUnsigned, field+".bodyDigest", "is missing: say in which claim the digest of the body is, "+
		"or set bodyUnsigned if the sender really doesn't sign it")
	c.check(!covered || !s.BodyUnsigned, field+".bodyUnsigned", "is set, but a claim ties the body to the token")
	if s.JWT == nil {
		c.fail(field+".jwt", errors.New("is missing: say what the token must be"))
		return
	}
	k.contents = []template{{}} // what coverage asks about: nothing of the request is written into a token
	k.token = c.jwt(field+".jwt", s.JWT)
	c.audience(field+".jwt.claims", s)
}

// shared reports whether tokens are signed with a shared secret.
func (t *JWT) shared() bool { return t != nil && slices.Contains(t.Algorithms, string(jose.HS256)) }

// jwt compiles what a token must be.
func (c *compiler) jwt(field string, t *JWT) *compiledToken {
	k := &compiledToken{maxAge: time.Duration(t.MaxAgeSeconds) * time.Second}
	c.check(len(t.Algorithms) > 0, field+".algorithms", "is missing")
	for _, name := range t.Algorithms {
		algorithm := jose.SignatureAlgorithm(name)
		known := algorithm == jose.HS256 || algorithm == jose.RS256 || algorithm == jose.ES256
		c.check(known && !slices.Contains(k.algorithms, algorithm), field+".algorithms", "%q must be HS256, RS256 or ES256, and occur once", name)
		k.algorithms = append(k.algorithms, algorithm)
	}
	c.check(!t.shared() || len(t.Algorithms) == 1, field+".algorithms", "HS256 excludes the others: a public key is no secret")
	c.check(t.MaxAgeSeconds >= 0 && t.MaxAgeSeconds <= maxTolerance, field+".maxAgeSeconds", "must be from 0 (not judged) to %d", maxTolerance)
	c.check(len(t.Claims) <= maxClaims, field+".claims", "there may be at most %d", maxClaims)
	for i := range t.Claims {
		k.claims = append(k.claims, c.claim(fmt.Sprintf("%s.claims[%d]", field, i), &t.Claims[i]))
	}
	return k
}

// claim compiles what a claim must be.
func (c *compiler) claim(field string, in *Claim) compiledClaim {
	k := compiledClaim{name: in.Claim, values: in.Values, parameter: in.Parameter, urlDigest: in.URLDigest}
	at, err := Location{Claim: in.Claim}.compile()
	c.fail(field+".claim", err)
	k.at = at.pointer
	set := 0
	for _, is := range [...]bool{len(in.Values) > 0, in.Parameter != "", in.URLDigest != ""} {
		if is {
			set++
		}
	}
	c.check(set == 1, field, "set exactly one of values, parameter and urlDigest")
	c.check(len(in.Values) <= maxClaimValues, field+".values", "there may be at most %d", maxClaimValues)
	for _, value := range in.Values {
		c.fail(field+".values", text("a value", value))
	}
	if in.Parameter != "" {
		c.parameter(field+".parameter", in.Parameter)
	}
	if in.URLDigest != "" {
		c.fail(field+".urlDigest", in.URLDigest.validate())
		c.check(in.URLDigest != Text, field+".urlDigest", "must be Hex, Base64 or Base64URL")
	}
	return k
}

// audience insists that a token by an issuer who serves everybody is bound to
// that issuer and to this receiver.
func (c *compiler) audience(field string, s *Scheme) {
	if s.KeySource == nil {
		return
	}
	for _, name := range [...]string{"/iss", "/aud"} {
		bound := slices.ContainsFunc(s.JWT.Claims, func(claim Claim) bool { return claim.Claim == name && claim.URLDigest == "" })
		c.check(bound, field, "lack %s: anybody may get a token of a public issuer, so say by values or a parameter who must have issued it, and for whom", name)
	}
}

// signsURL reports whether a claim is a digest of the URL.
func (t *compiledToken) signsURL() bool {
	return t != nil && slices.ContainsFunc(t.claims, func(c compiledClaim) bool { return c.urlDigest != "" })
}

// publicKeys reports whether the scheme verifies with public keys.
func (s *compiledScheme) publicKeys() bool {
	if s.token != nil {
		return s.token.algorithms[0] != jose.HS256
	}
	return slices.Contains(publicKeyed, s.named)
}
