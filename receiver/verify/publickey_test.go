package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // the scheme of Travis CI
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"
)

// der is a public key as a SubjectPublicKeyInfo.
func der(tb testing.TB, public any) []byte {
	tb.Helper()
	encoded, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

func pemOf(encoded []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}))
}

// asymmetric is a provider that signs the body by a public key algorithm.
func asymmetric(algorithm Algorithm, steps ...string) Provider {
	p := signingProvider("{body}", "{body_sha256}")
	p.Schemes[0].Algorithm, p.Schemes[0].Key, p.Schemes[0].Signature.Encoding = algorithm, steps, Base64
	return p
}

// must fails the test on an error.
func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestPublicKeys(t *testing.T) {
	const body = "signed by the other side"
	sum1, sum256 := sha1.Sum([]byte(body)), sha256.Sum256([]byte(body))

	rsaPrivate, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaPrivate = must(t, rsaPrivate, err)
	withSHA1, err := rsa.SignPKCS1v15(nil, rsaPrivate, crypto.SHA1, sum1[:])
	withSHA1 = must(t, withSHA1, err)
	withSHA256, err := rsa.SignPKCS1v15(nil, rsaPrivate, crypto.SHA256, sum256[:])
	withSHA256 = must(t, withSHA256, err)
	ecPrivate, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ecPrivate = must(t, ecPrivate, err)
	withECDSA, err := ecdsa.SignASN1(rand.Reader, ecPrivate, sum256[:])
	withECDSA = must(t, withECDSA, err)
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	edPublic = must(t, edPublic, err)
	withEd := ed25519.Sign(edPrivate, []byte(body))

	rsaDER, ecDER, edDER := der(t, &rsaPrivate.PublicKey), der(t, &ecPrivate.PublicKey), der(t, edPublic)
	for name, test := range map[string]struct {
		provider  Provider
		key       string
		signature []byte
		want      Reason
	}{
		"RSA-SHA1, PEM":               {asymmetric(RSASHA1), pemOf(rsaDER), withSHA1, ""},
		"RSA-SHA256, base64":          {asymmetric(RSASHA256, "base64"), base64.StdEncoding.EncodeToString(rsaDER), withSHA256, ""},
		"ECDSA, PEM":                  {asymmetric(ECDSAP256SHA256), pemOf(ecDER), withECDSA, ""},
		"Ed25519, PEM":                {asymmetric(Ed25519), pemOf(edDER), withEd, ""},
		"Ed25519, the bytes":          {asymmetric(Ed25519, "base64"), base64.StdEncoding.EncodeToString(edPublic), withEd, ""},
		"RSA, another hash":           {asymmetric(RSASHA256), pemOf(rsaDER), withSHA1, WrongSignature},
		"Ed25519, another signature":  {asymmetric(Ed25519), pemOf(edDER), withECDSA, WrongSignature},
		"ECDSA, another signature":    {asymmetric(ECDSAP256SHA256), pemOf(ecDER), withEd, WrongSignature},
		"RSA, a key of another kind":  {asymmetric(RSASHA256), pemOf(ecDER), withSHA256, NoUsableKey},
		"ECDSA, key of another kind":  {asymmetric(ECDSAP256SHA256), pemOf(edDER), withECDSA, NoUsableKey},
		"Ed25519, of another kind":    {asymmetric(Ed25519), pemOf(rsaDER), withEd, NoUsableKey},
		"damaged PEM":                 {asymmetric(RSASHA256), pemOf(rsaDER)[:100], withSHA256, NoUsableKey},
		"a private key in its stead":  {asymmetric(Ed25519), string(edPrivate), withEd, NoUsableKey},
		"an HMAC with the public key": {asymmetric(RSASHA256), pemOf(rsaDER), hmacOf(pemOf(rsaDER), body), WrongSignature},
	} {
		t.Run(name, func(t *testing.T) {
			r := post(body, "X-Sig", base64.StdEncoding.EncodeToString(test.signature))
			_, err := compiledProvider(t, test.provider).Verify(r, keysOf(test.key), now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestWeakPublicKeys: keys that can be computed from the public part, or that
// are on another curve than the scheme says, are refused when they are set.
func TestWeakPublicKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024) // it is to be refused
	small = must(t, small, err)
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	curve = must(t, curve, err)
	for algorithm, public := range map[Algorithm]any{RSASHA256: &small.PublicKey, ECDSAP256SHA256: &curve.PublicKey} {
		if err := compiledProvider(t, asymmetric(algorithm)).CheckKey(keysOf(pemOf(der(t, public))).Secrets[0]); err == nil {
			t.Errorf("%s takes the key", algorithm)
		}
	}
}
