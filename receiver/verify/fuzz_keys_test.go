package verify

import (
	"crypto/x509"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// FuzzToken: whatever token arrives, the verifier neither panics nor accepts
// what was not signed with its keys, and says nothing of it.
func FuzzToken(f *testing.F) {
	p := pairs()
	for _, token := range []string{
		signedToken(f, testSecret, tokenHead("HS256"), claims{"iat": fromNow(0), "aud": []string{"us"}}),
		signedToken(f, p.otherRSA, tokenHead("RS256", "a"), claims{"exp": 1}),
		signedToken(f, p.ec384, tokenHead("ES256"), claims{"iss": "x"}),
		signedToken(f, nil, tokenHead("none"), claims{}), "..", "e30.e30.", "a.b.c.d", "",
	} {
		f.Add(token, testBody)
	}
	providers := []Provider{tokens("HS256"), published("RS256", "ES256"), changed(tokens("HS256"), digested(BodyDigest{From: Location{Claim: "/sum"}, Encoding: Hex}))}
	var verifiers []*Verifier
	for _, p := range providers {
		verifiers = append(verifiers, compiledProvider(f, p))
	}
	material := keysOf("a key that the corpus doesn't know")
	material.Fetched = map[string][]byte{jwksURL: []byte(jwk(f, &p.rsa.PublicKey, "a"))}
	material.Parameters = Parameters{"audience": {secret.New([]byte("us"))}}
	f.Fuzz(func(t *testing.T, token, body string) {
		for _, v := range verifiers {
			r := bearer(token, body)
			_, err := v.Verify(r, material, now)
			if err == nil || r.claims != nil {
				t.Fatalf("accepted: %q %q", token, body)
			}
			if rejection := rejectionOf(t, err); len(token) > 40 && strings.Contains(rejection.Detail, token) {
				t.Fatalf("the token shows in %v", err)
			}
		}
	})
}

// FuzzClaims: whatever a token says that is signed, nothing panics, and what is
// not for us is refused.
func FuzzClaims(f *testing.F) {
	for _, payload := range []string{`{"aud":"them","iat":1700000000}`, `{"aud":[["us"],{"us":1},null,1e9]}`, `{"exp":1e999}`, `{"aud":"us"`, ` {"":{}}`, "[]", ""} {
		f.Add(payload)
	}
	p := changed(tokens("HS256"), func(s *Scheme) { s.JWT.Claims = []Claim{{Claim: "/aud", Values: []string{"us"}}} })
	v := compiledProvider(f, p)
	f.Fuzz(func(t *testing.T, payload string) {
		_, err := v.Verify(bearer(signedToken(t, testSecret, tokenHead("HS256"), payload), ""), keysOf(testSecret), now)
		if err == nil && !strings.Contains(payload, "us") && !strings.Contains(payload, `\u`) {
			t.Fatalf("accepted: %q", payload)
		}
		if err != nil {
			rejectionOf(t, err)
		}
	})
}

// FuzzFetchedKeys: whatever is published, no key comes out of it that is not fit.
func FuzzFetchedKeys(f *testing.F) {
	p := pairs()
	for _, document := range []string{
		jwk(f, &p.rsa.PublicKey, "a"), jwk(f, &p.ec.PublicKey, ""), jwk(f, &p.smallRSA.PublicKey, "s"), jwk(f, p.ec, "private"),
		publicPEM(f, &p.ec.PublicKey), `{"keys":[{"kty":"oct","k":"AA"}]}`, `{"kty":"RSA","n":"AA","e":"AQAB"}`, "{", "",
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		kept, err := FetchSource{Algorithm: JSONWebToken}.Keys(document)
		if err != nil {
			return
		}
		keys, err := keymaterial.PublicKeys(kept)
		if err != nil || len(keys) == 0 || len(kept) > maxKeyBytes {
			t.Fatalf("%q was kept as %q: %v", document, kept, err)
		}
		for _, k := range keys {
			if keymaterial.AlgorithmOf(k.Key) == "" {
				t.Fatalf("%T came out of %q", k.Key, document)
			}
		}
	})
}

// FuzzCertificate: neither a URL nor what is behind it makes the verifier panic,
// or trust a chain that leads nowhere.
func FuzzCertificate(f *testing.F) {
	p := pairs()
	own := issue(f, nil, &p.rsa.PublicKey, template509("own", true, "sns.amazonaws.com"), p.rsa)
	f.Add(certificateURL, chainOf(own))
	f.Add(certificateURL+"#", chainOf(own, own))
	f.Add("https://evil.example:443", []byte("-----BEGIN CERTIFICATE-----"))
	v := compiledProvider(f, certified("sns.amazonaws.com"))
	signature := certifiedRequest(f, p.rsa, certificateURL).Header.Get("X-Sig")
	f.Fuzz(func(t *testing.T, address string, chain []byte) {
		r := post(testBody, "X-Sig", signature, "X-Cert", address)
		got, err := v.Certificate(r, nil)
		if err == nil && (got.URL != address || !strings.HasPrefix(strings.ToLower(address), "https://sns.") || !strings.HasSuffix(address, ".pem")) {
			t.Fatalf("%q became %q", address, got.URL)
		}
		if _, err := v.Verify(r, &Material{Certificate: chain, Roots: x509.NewCertPool()}, now); err == nil {
			t.Fatalf("accepted: %q", chain)
		}
	})
}
