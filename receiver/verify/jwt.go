package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport.dev/sallyport/receiver/verify/document"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// clockLeeway is how far the clocks of sender and receiver may be apart when the
// times of a token are judged. RFC 7519 §4.1.4 allows a small one, "usually no
// more than a few minutes".
const clockLeeway = 60 * time.Second

// maxNumericDate is the end of the year 9999, in seconds since 1970: times
// behind it can't be written as RFC 3339.
const maxNumericDate = 253402300799

// compiledToken is a JWT, checked and made ready.
type compiledToken struct {
	algorithms []jose.SignatureAlgorithm
	claims     []compiledClaim
	maxAge     time.Duration
}

// compiledClaim is a Claim, checked and made ready.
type compiledClaim struct {
	name      string
	at        document.Pointer
	values    []string
	parameter string
	urlDigest Encoding
}

// token is a token that is well-formed. Who signed it is not known yet.
type token struct {
	text string
	jws  *jose.JSONWebSignature
}

// tokenKey is a key that tokens may be signed with.
type tokenKey struct {
	keymaterial.TokenKey
	index int // of the secret that it comes from; noSecret: it was fetched
}

// tokenKeys are the keys that tokens of the scheme may be signed with.
func (s *compiledScheme) tokenKeys(m *Material) (keys []tokenKey, rejection *Rejection) {
	if s.source != nil {
		published, rejection := s.source.fetched(m)
		if rejection != nil {
			return nil, rejection
		}
		keys = ofIndex(nil, m.Keys.publishedTokens(s, published), noSecret)
	} else {
		for i, value := range m.Secrets {
			keys = ofIndex(keys, m.Keys.tokensOfSecret(s, value), i)
		}
	}
	if len(keys) == 0 {
		return nil, s.noUsableKey()
	}
	return keys, nil
}

// ofIndex appends keys that come from the secret with that index.
func ofIndex(keys []tokenKey, more []keymaterial.TokenKey, index int) []tokenKey {
	for _, k := range more {
		keys = append(keys, tokenKey{k, index})
	}
	return keys
}

// keysOf reads the keys for tokens from key material.
func (t *compiledToken) keysOf(material []byte) ([]keymaterial.TokenKey, error) {
	return keymaterial.TokenKeys(material, t.algorithms)
}

// verifyToken judges a request whose signature is a token (RFC 7519, signed as
// in RFC 7515, compact). Nothing of its claims is looked at before the signature.
func (s *compiledScheme) verifyToken(r *Request, f found, m *Material, now time.Time) (Verdict, *Rejection) {
	t, rejection := s.token.parse(f)
	if rejection != nil {
		return Verdict{}, rejection
	}
	keys, rejection := s.tokenKeys(m)
	if rejection != nil {
		return Verdict{}, rejection
	}
	index, rejection := t.verify(keys)
	if rejection != nil {
		return Verdict{}, rejection
	}
	if r.claims, rejection = t.claims(); rejection != nil {
		return Verdict{}, rejection
	}
	issued, rejection := s.token.judgeTimes(r.claims, now)
	if rejection == nil {
		rejection = s.token.checkClaims(r, m.Parameters)
	}
	if rejection == nil {
		rejection = s.checkBodyDigest(r)
	}
	if rejection != nil {
		return Verdict{}, rejection
	}
	return Verdict{Scheme: s.name, Key: index, ContentSHA256: t.digest(), Timestamp: issued}, nil
}

// parse reads the one token of a request. The library would read base64url that
// is not canonical and write it anew before it verifies, so that a token had
// several spellings; and it would honour "b64" (RFC 7797) and "crit".
func (t *compiledToken) parse(f found) (token, *Rejection) {
	if len(f.candidates) != 1 {
		return token{}, reject(MalformedSignature, "there is more than one token: send one")
	}
	text := f.candidates[0].text
	for part := range strings.SplitSeq(text, ".") {
		if _, err := decodeLine(strictBase64URL, part); err != nil {
			return token{}, malformedToken()
		}
	}
	jws, err := jose.ParseSignedCompact(text, t.algorithms)
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return token{}, reject(WrongSignature, "the token must be signed with %s", keymaterial.Describe(t.algorithms))
	}
	if err != nil {
		return token{}, malformedToken()
	}
	for _, extension := range [...]jose.HeaderKey{"crit", "b64"} {
		if _, ok := jws.Signatures[0].Protected.ExtraHeaders[extension]; ok {
			return token{}, reject(MalformedSignature, "the token has the header parameter %s, which the receiver doesn't know", extension)
		}
	}
	return token{text: text, jws: jws}, nil
}

func malformedToken() *Rejection {
	return reject(MalformedSignature, "it must be a signed JSON Web Token: three parts in base64url, separated by dots")
}

// verify tries every key that the token may be signed with, whatever matched
// before, and returns the index of the first that matched. A key with an id is
// for tokens that name it.
func (t token) verify(keys []tokenKey) (index int, rejection *Rejection) {
	var named, matched bool
	for _, k := range slices.Backward(keys) {
		if k.ID != "" && k.ID != t.jws.Signatures[0].Protected.KeyID {
			continue
		}
		named = true
		if _, err := t.jws.Verify(k.Key); err == nil {
			index, matched = k.index, true
		}
	}
	switch {
	case !named:
		return 0, reject(WrongSignature, "none of the receiver's keys has the key id (kid) of the token")
	case !matched:
		return 0, reject(WrongSignature, "no key matches the token: is the secret the same on both sides?")
	}
	return index, nil
}

// claims are the claims as JSON. The token must have been verified.
func (t token) claims() ([]byte, *Rejection) {
	claims := t.jws.UnsafePayloadWithoutVerification()
	claims = document.SkipSpace(claims)
	if len(claims) == 0 || claims[0] != '{' || !document.Valid(claims) {
		return nil, reject(MalformedSignature, "the claims of the token must be a JSON object")
	}
	return claims, nil
}

// digest is the SHA-256 of what is signed: header and claims, as they are
// written. The signature is left out: for some algorithms there are several.
func (t token) digest() [sha256.Size]byte {
	return sha256.Sum256([]byte(t.text[:strings.LastIndexByte(t.text, '.')]))
}

// judgeTimes refuses a token that is not valid now, and returns when it was
// issued; zero: it doesn't say.
func (t *compiledToken) judgeTimes(claims []byte, now time.Time) (issued time.Time, rejection *Rejection) {
	var expires, begins time.Time
	for _, c := range []struct {
		name string
		at   *time.Time
	}{{"exp", &expires}, {"nbf", &begins}, {"iat", &issued}} {
		if *c.at, rejection = numericDate(claims, c.name); rejection != nil {
			return time.Time{}, rejection
		}
	}
	switch {
	case !expires.IsZero() && !now.Before(expires.Add(clockLeeway)):
		return issued, reject(TimestampOutsideTolerance, "the token has expired (exp)")
	case !begins.IsZero() && now.Before(begins.Add(-clockLeeway)):
		return issued, reject(TimestampOutsideTolerance, "the token is not valid yet (nbf)")
	case t.maxAge == 0:
		return issued, nil
	case issued.IsZero():
		return issued, reject(MissingTimestamp, "the token doesn't say when it was issued (iat)")
	case now.Sub(issued) > t.maxAge:
		return issued, reject(TimestampOutsideTolerance, "the token was issued (iat) too long ago: it may be %s old", t.maxAge)
	case issued.Sub(now) > clockLeeway:
		return issued, reject(TimestampOutsideTolerance, "the token was issued (iat) in the future of the receiver's clock")
	}
	return issued, nil
}

// numericDate reads a NumericDate (RFC 7519 §2): a number of seconds since 1970,
// which may have a fraction. Zero: there is none.
func numericDate(claims []byte, name string) (time.Time, *Rejection) {
	value := document.Value(document.Child(claims, name))
	if len(value) == 0 || value[0] == 'n' {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || seconds < 0 || seconds > maxNumericDate {
		return time.Time{}, reject(MalformedTimestamp, "the claim %s of the token must be a number of seconds since 1970", name)
	}
	return time.UnixMilli(int64(seconds * 1000)), nil
}

// checkClaims refuses a token that is meant for another receiver.
func (t *compiledToken) checkClaims(r *Request, p Parameters) *Rejection {
	for i := range t.claims {
		c := &t.claims[i]
		if c.urlDigest != "" && r.URL == "" {
			return reject(NoPublicURL, "the sender signs the URL, and the receiver was not told its public URL")
		}
		if !c.holds(r, p) {
			return reject(ClaimMismatch, "the claim %s of the token does not have a value that is accepted here", c.name)
		}
	}
	return nil
}

// holds reports whether the claim, or one element of it if it is an array, has
// one of the values that are accepted.
func (c *compiledClaim) holds(r *Request, p Parameters) bool {
	for _, text := range c.texts(r.claims) {
		if text != "" && c.accepts(text, r, p) {
			return true
		}
	}
	return false
}

// texts are the scalars that the claim consists of.
func (c *compiledClaim) texts(claims []byte) (texts []string) {
	value := c.at.Find(claims)
	if value == nil {
		return nil
	}
	if value[0] != '[' {
		text, _ := document.Scalar(value)
		return []string{text}
	}
	for rest := document.First(value); rest != nil; rest = document.Next(rest) {
		if text, ok := document.Scalar(rest); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// accepts compares with the values that are accepted.
func (c *compiledClaim) accepts(text string, r *Request, p Parameters) bool {
	if c.urlDigest != "" {
		got, err := c.urlDigest.decode(text)
		return err == nil && slices.ContainsFunc(withoutMark(r.URL), func(address string) bool {
			want := sha256.Sum256([]byte(address))
			return subtle.ConstantTimeCompare(got, want[:]) == 1
		})
	}
	return slices.Contains(c.values, text) || p.contain(c.parameter, text)
}
