package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
)

const jwksURL = "https://keys.example/jwks"

// pairs are the key pairs of the tests. They take long to make.
var pairs = sync.OnceValue(func() (p struct {
	rsa, otherRSA, smallRSA *rsa.PrivateKey
	ec                      *ecdsa.PrivateKey
	ec384                   *ecdsa.PrivateKey
}) {
	var errs [5]error
	p.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	p.otherRSA, errs[1] = rsa.GenerateKey(rand.Reader, 2048)
	p.smallRSA, errs[2] = rsa.GenerateKey(rand.Reader, 1024) // it is to be refused
	p.ec, errs[3] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.ec384, errs[4] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for _, err := range errs {
		if err != nil {
			panic(err)
		}
	}
	return p
})

// claims are those of a token.
type claims map[string]any

// fromNow is a NumericDate.
func fromNow(seconds int64) int64 { return now.Unix() + seconds }

// tokenPart is a part of a token.
func tokenPart(tb testing.TB, v any) string {
	tb.Helper()
	text, ok := v.(string)
	if !ok {
		encoded, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		text = string(encoded)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// signedToken makes a token with nothing but the standard library. The header and the
// payload are JSON, or values of which JSON is made.
func signedToken(tb testing.TB, key, header, payload any) string {
	tb.Helper()
	input := tokenPart(tb, header) + "." + tokenPart(tb, payload)
	digest := sha256.Sum256([]byte(input))
	var (
		signature []byte
		err       error
	)
	switch k := key.(type) {
	case nil:
	case string:
		signature = hmacOf(k, input)
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		r, s, signErr := ecdsa.Sign(rand.Reader, k, digest[:])
		if err = signErr; err == nil {
			size := (k.Curve.Params().BitSize + 7) / 8
			signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
	default:
		tb.Fatalf("%T is no key", key)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tokenHead is the header of a token.
func tokenHead(algorithm string, kid ...string) claims {
	h := claims{"alg": algorithm, "typ": "JWT"}
	if len(kid) > 0 {
		h["kid"] = kid[0]
	}
	return h
}

// tokens is a provider whose signature is a token in Authorization that leaves
// the body out.
func tokens(algorithms ...string) Provider {
	return Provider{Name: "jwt-like", Schemes: []Scheme{{
		Name: "jwt", Algorithm: JSONWebToken, JWT: &JWT{Algorithms: algorithms}, BodyUnsigned: true,
		Signature: Signature{From: []Location{{Header: "Authorization"}}, Prefix: "Bearer ", Encoding: Text},
	}}, Identity: Identity{ID: []string{"{body_sha256}"}}}
}

// published is tokens by a public issuer.
func published(algorithms ...string) Provider {
	p := tokens(algorithms...)
	p.Parameters = []Parameter{{Name: "audience", Required: true}}
	p.Schemes[0].KeySource = &KeySource{JWKSURL: jwksURL}
	p.Schemes[0].JWT.Claims = []Claim{
		{Claim: "/iss", Values: []string{"https://issuer.example", "issuer.example"}}, {Claim: "/aud", Parameter: "audience"},
	}
	return p
}

// changed returns p with another scheme.
func changed(p Provider, changes ...func(*Scheme)) Provider {
	s := p.Schemes[0]
	jwt := *s.JWT
	s.JWT = &jwt
	for _, change := range changes {
		change(&s)
	}
	p.Schemes = []Scheme{s}
	return p
}

// digested ties the body to the token by a claim.
func digested(d BodyDigest) func(*Scheme) {
	return func(s *Scheme) { s.BodyDigest, s.BodyUnsigned = &d, false }
}

// jwkSet is a JWK Set.
func jwkSet(tb testing.TB, keys ...jose.JSONWebKey) string {
	tb.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func publicPEM(tb testing.TB, public any) string {
	tb.Helper()
	return pemOf(der(tb, public))
}

// bearer is a request with a token.
func bearer(token, body string) *Request { return post(body, "Authorization", "Bearer "+token) }

// TestTokenAlgorithms: who signs, and with which key.
func TestTokenAlgorithms(t *testing.T) {
	p := pairs()
	rsaPEM, ecPEM := publicPEM(t, &p.rsa.PublicKey), publicPEM(t, &p.ec.PublicKey)
	good := claims{"iat": fromNow(0), "exp": fromNow(60)}
	both := jwkSet(t, jose.JSONWebKey{Key: &p.otherRSA.PublicKey, KeyID: "a"}, jose.JSONWebKey{Key: &p.rsa.PublicKey, KeyID: "b"},
		jose.JSONWebKey{Key: &p.ec.PublicKey, KeyID: "c"})
	for name, test := range map[string]struct {
		provider Provider
		key      string
		token    string
		want     Reason
	}{
		"HS256":                          {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256"), good), ""},
		"HS256, kid of a single secret":  {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256", "k1"), good), ""},
		"HS256, steps":                   {changed(tokens("HS256"), func(s *Scheme) { s.Key = []string{"hex"} }), "6869", signedToken(t, "hi", tokenHead("HS256"), good), ""},
		"RS256, PEM":                     {tokens("RS256"), rsaPEM, signedToken(t, p.rsa, tokenHead("RS256", "k1"), good), ""},
		"ES256, PEM":                     {tokens("ES256"), ecPEM, signedToken(t, p.ec, tokenHead("ES256"), good), ""},
		"RS256, JWK":                     {tokens("RS256"), jwk(t, &p.rsa.PublicKey, "b"), signedToken(t, p.rsa, tokenHead("RS256", "b"), good), ""},
		"RS256, one of a set":            {tokens("RS256"), both, signedToken(t, p.rsa, tokenHead("RS256", "b"), good), ""},
		"ES256, one of a set":            {tokens("RS256", "ES256"), both, signedToken(t, p.ec, tokenHead("ES256", "c"), good), ""},
		"ES256 where RS256 is":           {tokens("RS256"), both, signedToken(t, p.ec, tokenHead("ES256", "c"), good), WrongSignature},
		"another key's kid":              {tokens("RS256"), both, signedToken(t, p.rsa, tokenHead("RS256", "a"), good), WrongSignature},
		"unknown kid":                    {tokens("RS256"), both, signedToken(t, p.rsa, tokenHead("RS256", "z"), good), WrongSignature},
		"no kid":                         {tokens("RS256"), both, signedToken(t, p.rsa, tokenHead("RS256"), good), WrongSignature},
		"another key":                    {tokens("RS256"), rsaPEM, signedToken(t, p.otherRSA, tokenHead("RS256"), good), WrongSignature},
		"none":                           {tokens("RS256"), rsaPEM, signedToken(t, nil, tokenHead("none"), good), WrongSignature},
		"None, HS256":                    {tokens("HS256"), "short", signedToken(t, nil, tokenHead("None"), good), WrongSignature},
		"no algorithm":                   {tokens("HS256"), "short", signedToken(t, "short", claims{}, good), WrongSignature},
		"algorithm in lower case":        {tokens("HS256"), "short", signedToken(t, "short", tokenHead("hs256"), good), WrongSignature},
		"no signature":                   {tokens("HS256"), "short", signedToken(t, nil, tokenHead("HS256"), good), WrongSignature},
		"HS256 with the public key":      {tokens("RS256"), rsaPEM, signedToken(t, rsaPEM, tokenHead("HS256"), good), WrongSignature},
		"HS256 called RS256":             {tokens("RS256"), rsaPEM, signedToken(t, rsaPEM, tokenHead("RS256"), good), WrongSignature},
		"HS256 called ES256":             {tokens("ES256"), ecPEM, signedToken(t, ecPEM, tokenHead("ES256"), good), WrongSignature},
		"its own key":                    {tokens("RS256"), rsaPEM, signedToken(t, p.otherRSA, claims{"alg": "RS256", "jwk": json.RawMessage(jwk(t, &p.otherRSA.PublicKey, ""))}, good), WrongSignature},
		"secret is a public key":         {tokens("HS256"), rsaPEM, signedToken(t, rsaPEM, tokenHead("HS256"), good), NoUsableKey},
		"key of another kind":            {tokens("ES256"), rsaPEM, signedToken(t, p.ec, tokenHead("ES256"), good), NoUsableKey},
		"a private key":                  {tokens("RS256"), jwk(t, p.rsa, "b"), signedToken(t, p.rsa, tokenHead("RS256", "b"), good), NoUsableKey},
		"small RSA key":                  {tokens("RS256"), jwk(t, &p.smallRSA.PublicKey, ""), signedToken(t, p.smallRSA, tokenHead("RS256"), good), NoUsableKey},
		"another curve":                  {tokens("ES256"), jwk(t, &p.ec384.PublicKey, ""), signedToken(t, p.ec384, tokenHead("ES256"), good), NoUsableKey},
		"another curve beside the right": {tokens("ES256"), jwkSet(t, jose.JSONWebKey{Key: &p.ec384.PublicKey}, jose.JSONWebKey{Key: &p.ec.PublicKey}), signedToken(t, p.ec384, tokenHead("ES256"), good), WrongSignature},
		"symmetric key in a set":         {tokens("RS256"), jwkSet(t, jose.JSONWebKey{Key: []byte("k")}, jose.JSONWebKey{Key: &p.rsa.PublicKey}), signedToken(t, "k", tokenHead("HS256"), good), WrongSignature},
		"key for encryption":             {tokens("RS256"), jwkSet(t, jose.JSONWebKey{Key: &p.rsa.PublicKey, Use: "enc"}), signedToken(t, p.rsa, tokenHead("RS256"), good), NoUsableKey},
		"key for another algorithm":      {tokens("RS256"), jwkSet(t, jose.JSONWebKey{Key: &p.rsa.PublicKey, Algorithm: "PS256"}), signedToken(t, p.rsa, tokenHead("RS256"), good), NoUsableKey},
		"key for this algorithm":         {tokens("RS256"), jwkSet(t, jose.JSONWebKey{Key: &p.rsa.PublicKey, Algorithm: "RS256", Use: "sig"}), signedToken(t, p.rsa, tokenHead("RS256"), good), ""},
		"crit":                           {tokens("HS256"), "short", signedToken(t, "short", claims{"alg": "HS256", "crit": []string{"exp"}, "exp": 1}, good), MalformedSignature},
		"crit, empty":                    {tokens("HS256"), "short", signedToken(t, "short", claims{"alg": "HS256", "crit": []string{}}, good), MalformedSignature},
		"payload that isn't encoded":     {tokens("HS256"), "short", signedToken(t, "short", claims{"alg": "HS256", "b64": false}, good), MalformedSignature},
		"two algorithms":                 {tokens("HS256"), "short", signedToken(t, "short", `{"alg":"none","alg":"HS256"}`, good), MalformedSignature},
		"header is no JSON":              {tokens("HS256"), "short", signedToken(t, "short", "x", good), MalformedSignature},
		"claims are no JSON":             {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256"), "x"), MalformedSignature},
		"claims are an array":            {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256"), "[]"), MalformedSignature},
		"claims are empty":               {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256"), ""), MalformedSignature},
		"claims with space around them":  {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256"), " {} \n"), ""},
		"two parts":                      {tokens("HS256"), "short", "e30.e30", MalformedSignature},
		"four parts":                     {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256"), good) + ".e30", MalformedSignature},
		"JSON serialization":             {tokens("HS256"), "short", `{"payload":"e30"}`, MalformedSignature},
		"padded":                         {tokens("HS256"), "short", signedToken(t, "short", tokenHead("HS256"), good) + "=", MalformedSignature},
		"not canonical":                  {tokens("HS256"), "short", restInLastBits(signedToken(t, "short", tokenHead("HS256"), good)), MalformedSignature},
		"prefix alone":                   {tokens("HS256"), "short", "", MalformedSignature},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compiledProvider(t, test.provider).Verify(bearer(test.token, testBody), keysOf(test.key), now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// jwk is a single JWK.
func jwk(tb testing.TB, key any, kid string) string {
	tb.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid})
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// restInLastBits sets a bit of the last character that stands for nothing.
func restInLastBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

// TestTokenByLibrary: a token that a well-known library made is accepted.
func TestTokenByLibrary(t *testing.T) {
	p := pairs()
	for algorithm, key := range map[jose.SignatureAlgorithm]any{jose.RS256: p.rsa, jose.ES256: p.ec} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
		signer = must(t, signer, err)
		jws, err := signer.Sign([]byte(`{}`))
		jws = must(t, jws, err)
		text, err := jws.CompactSerialize()
		text = must(t, text, err)
		private := jose.JSONWebKey{Key: key}
		public := private.Public().Key
		if _, err := compiledProvider(t, tokens(string(algorithm))).Verify(bearer(text, ""), keysOf(jwk(t, public, "k")), now); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

// TestTokenTimes: tokens are for a while.
func TestTokenTimes(t *testing.T) {
	leeway := int64(clockLeeway.Seconds())
	young := changed(tokens("HS256"), func(s *Scheme) { s.JWT.MaxAgeSeconds = 300 })
	for name, test := range map[string]struct {
		provider Provider
		payload  any
		want     Reason
	}{
		"no times":                     {tokens("HS256"), claims{}, ""},
		"expires later":                {tokens("HS256"), claims{"exp": fromNow(1)}, ""},
		"expired within the leeway":    {tokens("HS256"), claims{"exp": fromNow(1 - leeway)}, ""},
		"expired":                      {tokens("HS256"), claims{"exp": fromNow(-leeway)}, TimestampOutsideTolerance},
		"begins within the leeway":     {tokens("HS256"), claims{"nbf": fromNow(leeway)}, ""},
		"begins later":                 {tokens("HS256"), claims{"nbf": fromNow(leeway + 1)}, TimestampOutsideTolerance},
		"begins at zero":               {tokens("HS256"), claims{"nbf": 0, "iat": 0}, ""},
		"expires at zero":              {tokens("HS256"), claims{"exp": 0}, TimestampOutsideTolerance},
		"issued at zero, judged":       {young, claims{"iat": 0}, TimestampOutsideTolerance},
		"issued long ago, not judged":  {tokens("HS256"), claims{"iat": fromNow(-1e6)}, ""},
		"issued just in time":          {young, claims{"iat": fromNow(-300)}, ""},
		"issued too long ago":          {young, claims{"iat": fromNow(-301)}, TimestampOutsideTolerance},
		"issued in the near future":    {young, claims{"iat": fromNow(leeway)}, ""},
		"issued in the far future":     {young, claims{"iat": fromNow(leeway + 1)}, TimestampOutsideTolerance},
		"issued nobody knows when":     {young, claims{"exp": fromNow(9)}, MissingTimestamp},
		"issued null":                  {young, claims{"iat": nil}, MissingTimestamp},
		"fraction":                     {young, fmt.Sprintf(`{"iat":%d.75}`, fromNow(-1)), ""},
		"exponent":                     {young, `{"iat":1.7E9}`, ""},
		"expires in text":              {tokens("HS256"), claims{"exp": "4000000000"}, MalformedTimestamp},
		"expires in milliseconds":      {tokens("HS256"), claims{"exp": 4000000000000}, MalformedTimestamp},
		"expires before it all":        {tokens("HS256"), claims{"exp": -1}, MalformedTimestamp},
		"expires never":                {tokens("HS256"), `{"exp":1e400}`, MalformedTimestamp},
		"expires if true":              {tokens("HS256"), claims{"exp": true}, MalformedTimestamp},
		"expires in an array":          {tokens("HS256"), claims{"exp": []int64{fromNow(9)}}, MalformedTimestamp},
		"expires twice, the last time": {tokens("HS256"), fmt.Sprintf(`{"exp":%d,"exp":1}`, fromNow(9)), TimestampOutsideTolerance},
	} {
		t.Run(name, func(t *testing.T) {
			token := signedToken(t, testSecret, tokenHead("HS256"), test.payload)
			_, err := compiledProvider(t, test.provider).Verify(bearer(token, ""), keysOf(testSecret), now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestTokenClaims: a genuine token may be meant for somebody else.
func TestTokenClaims(t *testing.T) {
	const public = "https://hooks.example/team/x?a=1"
	sum := sha256.Sum256([]byte(public))
	claim := func(c ...Claim) Provider {
		p := changed(tokens("HS256"), func(s *Scheme) { s.JWT.Claims = c })
		p.Parameters = []Parameter{{Name: "audience", Required: true}}
		return p
	}
	audience := claim(Claim{Claim: "/aud", Parameter: "audience"})
	issuer := claim(Claim{Claim: "/iss", Values: []string{"a", "b"}})
	nested := claim(Claim{Claim: "/x/verified", Values: []string{"true"}})
	address := claim(Claim{Claim: "/url_hash", URLDigest: Hex})
	both := claim(Claim{Claim: "/iss", Values: []string{"a"}}, Claim{Claim: "/aud", Parameter: "audience"})
	for name, test := range map[string]struct {
		provider Provider
		payload  any
		url      string
		want     Reason
	}{
		"a value":                   {issuer, claims{"iss": "b"}, "", ""},
		"another value":             {issuer, claims{"iss": "c"}, "", ClaimMismatch},
		"a value and more":          {issuer, claims{"iss": "bb"}, "", ClaimMismatch},
		"missing":                   {issuer, claims{}, "", ClaimMismatch},
		"null":                      {issuer, claims{"iss": nil}, "", ClaimMismatch},
		"empty":                     {issuer, claims{"iss": ""}, "", ClaimMismatch},
		"object":                    {issuer, claims{"iss": claims{"a": "a"}}, "", ClaimMismatch},
		"twice, the last one wrong": {issuer, `{"iss":"a","iss":"c"}`, "", ClaimMismatch},
		"parameter":                 {audience, claims{"aud": "us"}, "", ""},
		"parameter, second value":   {audience, claims{"aud": "we"}, "", ""},
		"parameter, another":        {audience, claims{"aud": "them"}, "", ClaimMismatch},
		"array":                     {audience, claims{"aud": []string{"them", "us"}}, "", ""},
		"array without ours":        {audience, claims{"aud": []string{"them", "you"}}, "", ClaimMismatch},
		"empty array":               {audience, claims{"aud": []string{}}, "", ClaimMismatch},
		"array in an array":         {audience, claims{"aud": [][]string{{"us"}}}, "", ClaimMismatch},
		"array of other things":     {audience, claims{"aud": []any{1, nil, claims{}, "us"}}, "", ""},
		"nested boolean":            {nested, claims{"x": claims{"verified": true}}, "", ""},
		"nested, false":             {nested, claims{"x": claims{"verified": false}}, "", ClaimMismatch},
		"nested in a text":          {nested, claims{"x": "verified"}, "", ClaimMismatch},
		"all":                       {both, claims{"iss": "a", "aud": "us"}, "", ""},
		"one of two":                {both, claims{"iss": "a"}, "", ClaimMismatch},
		"URL":                       {address, claims{"url_hash": hex.EncodeToString(sum[:])}, public, ""},
		"another URL":               {address, claims{"url_hash": hex.EncodeToString(sum[:])}, public + "2", ClaimMismatch},
		"URL in another encoding":   {address, claims{"url_hash": base64.StdEncoding.EncodeToString(sum[:])}, public, ClaimMismatch},
		"URL missing":               {address, claims{}, public, ClaimMismatch},
		"URL not known":             {address, claims{"url_hash": hex.EncodeToString(sum[:])}, "", NoPublicURL},
	} {
		t.Run(name, func(t *testing.T) {
			r := bearer(signedToken(t, testSecret, tokenHead("HS256"), test.payload), "")
			r.URL = test.url
			material := keysOf(testSecret)
			material.Parameters = Parameters{"audience": {secret.New([]byte("us")), secret.New([]byte("we"))}}
			_, err := compiledProvider(t, test.provider).Verify(r, material, now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if !compiledProvider(t, address).NeedsURL() || compiledProvider(t, issuer).NeedsURL() {
		t.Error("NeedsURL must tell whether a claim is a digest of the URL")
	}
	_, err := compiledProvider(t, audience).Verify(bearer(signedToken(t, testSecret, tokenHead("HS256"), claims{"aud": ""}), ""), keysOf(testSecret), now)
	if got := reasonOf(t, err); got != ClaimMismatch {
		t.Errorf("without a value of the parameter: %q, want %q", got, ClaimMismatch)
	}
}

// TestTokenBody: a claim ties the body to the token.
func TestTokenBody(t *testing.T) {
	sum, empty := sha256.Sum256([]byte(testBody)), sha256.Sum256(nil)
	from := Location{Claim: "/sum"}
	always := changed(tokens("HS256"), digested(BodyDigest{From: from, Encoding: Hex}))
	inBase64 := changed(tokens("HS256"), digested(BodyDigest{From: from, Encoding: Base64URL}))
	filled := changed(tokens("HS256"), digested(BodyDigest{From: from, Encoding: Hex, AbsentWhenEmpty: true}))
	for name, test := range map[string]struct {
		provider Provider
		payload  claims
		body     string
		want     Reason
	}{
		"right":                      {always, claims{"sum": hex.EncodeToString(sum[:])}, testBody, ""},
		"upper case":                 {always, claims{"sum": strings.ToUpper(hex.EncodeToString(sum[:]))}, testBody, ""},
		"base64url":                  {inBase64, claims{"sum": base64.RawURLEncoding.EncodeToString(sum[:])}, testBody, ""},
		"another body":               {always, claims{"sum": hex.EncodeToString(sum[:])}, testBody + " ", WrongSignature},
		"no text":                    {always, claims{"sum": []string{hex.EncodeToString(sum[:])}}, testBody, PreconditionFailed},
		"missing":                    {always, claims{}, testBody, PreconditionFailed},
		"missing, empty body":        {always, claims{}, "", PreconditionFailed},
		"absent for an empty body":   {filled, claims{}, "", ""},
		"absent for a body":          {filled, claims{}, testBody, PreconditionFailed},
		"there for an empty body":    {filled, claims{"sum": hex.EncodeToString(empty[:])}, "", ""},
		"wrong for an empty body":    {filled, claims{"sum": hex.EncodeToString(sum[:])}, "", WrongSignature},
		"of the empty body, for one": {filled, claims{"sum": hex.EncodeToString(empty[:])}, testBody, WrongSignature},
	} {
		t.Run(name, func(t *testing.T) {
			token := signedToken(t, testSecret, tokenHead("HS256"), test.payload)
			_, err := compiledProvider(t, test.provider).Verify(bearer(token, test.body), keysOf(testSecret), now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestTokenVerdict: what is known of a request with a token, and what the
// provider says of itself.
func TestTokenVerdict(t *testing.T) {
	p := changed(tokens("HS256"), digested(BodyDigest{From: Location{Claim: "/sum"}, Encoding: Hex}))
	p.Identity = Identity{ID: []string{"{claim:/jti}"}, Type: []string{"{json:/type}"}}
	sum := sha256.Sum256([]byte(testBody))
	token := signedToken(t, testSecret, tokenHead("HS256"), claims{"iat": fromNow(-5), "jti": "ev_1", "sum": hex.EncodeToString(sum[:])})
	v, r := compiledProvider(t, p), bearer(token, testBody)
	got, err := v.Verify(r, keysOf("another", testSecret), now)
	if err != nil {
		t.Fatal(err)
	}
	want := Verdict{Scheme: "jwt", Key: 1, ContentSHA256: sha256.Sum256([]byte(token[:strings.LastIndex(token, ".")])), Timestamp: now.Add(-5 * time.Second)}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Verdict{})); diff != "" {
		t.Error(diff)
	}
	event, err := v.Identify(r, got)
	if diff := cmp.Diff(identified("ev_1", "demo.created"), event); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if !p.IDCovered() || !slices.Equal(v.Unauthenticated(), []string{"jwt: the time, unless the token says when it expires (exp)"}) || len(v.CredentialHeaders()) > 0 {
		t.Errorf("all of it is signed: %v, %q, %q", p.IDCovered(), v.Unauthenticated(), v.CredentialHeaders())
	}
	if _, err := v.Verify(r, keysOf("another"), now); err == nil || r.claims != nil {
		t.Errorf("claims of a token that nobody signed are kept: %v", err)
	}

	loose := compiledProvider(t, tokens("HS256"))
	if diff := cmp.Diff([]string{"jwt: the body; the event id ({body_sha256}); the time, unless the token says when it expires (exp)"}, loose.Unauthenticated()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Authorization"}, loose.CredentialHeaders()); diff != "" {
		t.Error(diff)
	}
}

// TestTwoTokens: nobody can say which one the sender meant.
func TestTwoTokens(t *testing.T) {
	p := changed(tokens("HS256"), func(s *Scheme) { s.Signature.From = append(s.Signature.From, Location{Header: "X-Token"}) })
	token := signedToken(t, testSecret, tokenHead("HS256"), claims{})
	r := post("", "Authorization", "Bearer "+token, "X-Token", "Bearer "+token)
	_, err := compiledProvider(t, p).Verify(r, keysOf(testSecret), now)
	if got := reasonOf(t, err); got != MalformedSignature {
		t.Errorf("%q, want %q", got, MalformedSignature)
	}
}

// TestPublishedKeys: keys from a JWK Set that was fetched.
func TestPublishedKeys(t *testing.T) {
	p := pairs()
	genuine := claims{"iss": "issuer.example", "aud": "us", "exp": fromNow(60)}
	token := signedToken(t, p.rsa, tokenHead("RS256", "b"), genuine)
	good := jwkSet(t, jose.JSONWebKey{Key: &p.otherRSA.PublicKey, KeyID: "a"}, jose.JSONWebKey{Key: &p.rsa.PublicKey, KeyID: "b"})
	for name, test := range map[string]struct {
		fetched map[string][]byte
		token   string
		want    Reason
	}{
		"set":                      {map[string][]byte{jwksURL: []byte(good)}, token, ""},
		"PEM":                      {map[string][]byte{jwksURL: []byte(publicPEM(t, &p.rsa.PublicKey))}, token, ""},
		"not fetched":              {nil, token, NoUsableKey},
		"another URL":              {map[string][]byte{"https://keys.example/other": []byte(good)}, token, NoUsableKey},
		"empty":                    {map[string][]byte{jwksURL: {}}, token, NoUsableKey},
		"no keys":                  {map[string][]byte{jwksURL: []byte(`{"keys":[]}`)}, token, NoUsableKey},
		"rubbish":                  {map[string][]byte{jwksURL: []byte(`<html>`)}, token, NoUsableKey},
		"the endpoint's secret":    {map[string][]byte{jwksURL: []byte(good)}, signedToken(t, testSecret, tokenHead("HS256"), genuine), WrongSignature},
		"for somebody else":        {map[string][]byte{jwksURL: []byte(good)}, signedToken(t, p.rsa, tokenHead("RS256", "b"), claims{"iss": "issuer.example", "aud": "them"}), ClaimMismatch},
		"by somebody else":         {map[string][]byte{jwksURL: []byte(good)}, signedToken(t, p.rsa, tokenHead("RS256", "b"), claims{"iss": "x", "aud": "us"}), ClaimMismatch},
		"an unknown key among all": {map[string][]byte{jwksURL: []byte(`{"keys":[{"kty":"OKP","crv":"X448","x":"AA"},{"kty":"new"},{},7,` + good[len(`{"keys":[`):])}, token, ""},
	} {
		t.Run(name, func(t *testing.T) {
			material := keysOf(testSecret)
			material.Fetched, material.Parameters = test.fetched, Parameters{"audience": {secret.New([]byte("us"))}}
			verdict, err := compiledProvider(t, published("RS256", "ES256")).Verify(bearer(test.token, ""), material, now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err == nil && verdict.Key != noSecret {
				t.Errorf("the key %d is no secret of the endpoint", verdict.Key)
			}
		})
	}
}

// TestTokenMutants: no bit of header, claims, signature and body can be changed.
func TestTokenMutants(t *testing.T) {
	p := pairs()
	sum := sha256.Sum256([]byte(testBody))
	payload := claims{"iat": fromNow(0), "sum": hex.EncodeToString(sum[:])}
	for algorithm, pair := range map[string]struct {
		private any
		secret  string
	}{
		"HS256": {testSecret, testSecret},
		"RS256": {p.rsa, publicPEM(t, &p.rsa.PublicKey)},
		"ES256": {p.ec, publicPEM(t, &p.ec.PublicKey)},
	} {
		t.Run(algorithm, func(t *testing.T) {
			v := compiledProvider(t, changed(tokens(algorithm), digested(BodyDigest{From: Location{Claim: "/sum"}, Encoding: Hex})))
			token := signedToken(t, pair.private, tokenHead(algorithm, "k"), payload)
			if _, err := v.Verify(bearer(token, testBody), keysOf(pair.secret), now); err != nil {
				t.Fatalf("the genuine request is rejected: %v", err)
			}
			for i := range len(token) * 8 {
				mutant := []byte(token)
				mutant[i/8] ^= 1 << (i % 8)
				if _, err := v.Verify(bearer(string(mutant), testBody), keysOf(pair.secret), now); err == nil {
					t.Fatalf("bit %d: %q is accepted in the place of %q", i, mutant, token)
				}
			}
			for i := range len(testBody) * 8 {
				r := bearer(token, testBody)
				r.Body[i/8] ^= 1 << (i % 8)
				if _, err := v.Verify(r, keysOf(pair.secret), now); err == nil {
					t.Fatalf("bit %d of the body makes no difference", i)
				}
			}
		})
	}
}

// TestTokenPartsOfAnother: parts of two genuine tokens make no third.
func TestTokenPartsOfAnother(t *testing.T) {
	v := compiledProvider(t, tokens("HS256"))
	one := strings.Split(signedToken(t, testSecret, tokenHead("HS256"), claims{"a": 1}), ".")
	two := strings.Split(signedToken(t, testSecret, tokenHead("HS256", "k"), claims{"a": 2}), ".")
	for choice := range 8 {
		parts := append([]string(nil), one...)
		for i := range parts {
			if choice>>i&1 == 1 {
				parts[i] = two[i]
			}
		}
		_, err := v.Verify(bearer(strings.Join(parts, "."), ""), keysOf(testSecret), now)
		if genuine := choice == 0 || choice == 7; (err == nil) != genuine {
			t.Errorf("%03b: %v", choice, err)
		}
	}
}

// TestCheckTokenKey: a key that can't be used is refused when it is set, and what
// is said of it does not show it.
func TestCheckTokenKey(t *testing.T) {
	p := pairs()
	for _, test := range []struct {
		provider Provider
		key      string
		want     string // empty: no error
	}{
		{tokens("HS256"), "x", ""},
		{tokens("HS256"), " ", "it is empty"},
		{tokens("HS256"), publicPEM(t, &p.rsa.PublicKey), "shared with the sender"},
		{tokens("RS256"), publicPEM(t, &p.rsa.PublicKey), ""},
		{tokens("RS256"), publicPEM(t, &p.ec.PublicKey), "a public key for RS256"},
		{tokens("RS256", "ES256"), publicPEM(t, &p.ec.PublicKey), ""},
		{tokens("RS256"), "hunter2", "an RSA public key"},
		{tokens("RS256"), `{"keys":[`, "an RSA public key"},
		{published("RS256"), "whatever", ""},
	} {
		err := compiledProvider(t, test.provider).CheckKey(secret.New([]byte(test.key)))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: %v, want %q", test.key, err, test.want)
		}
	}
}
