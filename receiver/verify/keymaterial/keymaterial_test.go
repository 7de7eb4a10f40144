package keymaterial

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func newP256(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return private
}

func newRSA(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	private, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		tb.Fatal(err)
	}
	return private
}

// spelled is one of the spellings of a public key: the last three are PEM, base64 and
// hex of its DER.
func spelled(tb testing.TB, private crypto.Signer, fromTheEnd int) string {
	tb.Helper()
	spellings, err := PublicSpellings(private.Public())
	if err != nil {
		tb.Fatal(err)
	}
	return spellings[len(spellings)-fromTheEnd]
}

func publicPEM(tb testing.TB, private crypto.Signer) string {
	tb.Helper()
	return spelled(tb, private, 3)
}

// selfSigned is a certificate in PEM.
func selfSigned(tb testing.TB, private crypto.Signer) []byte {
	tb.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestKeysMatchWhatTheySign: each key takes its own signature, among others, and none
// of another message.
func TestKeysMatchWhatTheySign(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := map[string]crypto.Signer{"Ed25519": ed, "P256": newP256(t), "RSA": newRSA(t)}
	for name, parse := range map[string]Parser{"HMAC": HMAC(sha256.New), "hash": InMessage, "Ed25519": Ed25519, "P256": P256, "RSA": RSA(crypto.SHA256)} {
		material := []byte("secret")
		if private[name] != nil {
			material = []byte(publicPEM(t, private[name]))
		}
		k, err := parse(material)
		if err != nil {
			t.Fatal(name, err)
		}
		signs, shared := k.(SigningKey)
		if !shared {
			signs = Private(private[name], k)
		}
		m := Message{Head: []byte("a"), Body: []byte("b"), Tail: []byte("c")}
		signature, err := signs.Sign(m)
		if err != nil {
			t.Fatal(name, err)
		}
		if k.Match(Message{Body: []byte("abc")}, [][]byte{nil, signature, []byte("x")}) != 1 {
			t.Errorf("%s doesn't take its own signature", name)
		}
		if m.Tail = nil; k.Match(m, [][]byte{signature}) != 0 || k.Match(m, nil) != 0 {
			t.Errorf("%s takes the signature of another message", name)
		}
	}
}

// TestParsePrivate reads keys as the tools write them.
func TestParsePrivate(t *testing.T) {
	sec1, err := x509.MarshalECPrivateKey(newP256(t))
	if err != nil {
		t.Fatal(err)
	}
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	for name, text := range map[string][]byte{
		"SEC 1":   append(parameters, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...),
		"PKCS #1": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(newRSA(t))}),
	} {
		if _, err := ParsePrivate(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"nothing": "", "text": "key", "a public key": publicPEM(t, newP256(t))} {
		if _, err := ParsePrivate([]byte(text)); !errors.Is(err, errNoPrivateKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzKeys: whatever material is, no key comes out of it that is not fit, and none takes
// what nobody signed.
func FuzzKeys(f *testing.F) {
	private := newP256(f)
	f.Add([]byte(publicPEM(f, private)))
	f.Add([]byte(publicPEM(f, newRSA(f))))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"AA","e":"AQAB"}]}`))
	if jwk, err := (jose.JSONWebKey{Key: private.Public(), KeyID: "a"}).MarshalJSON(); err == nil {
		f.Add(jwk)
	}
	parsers := []Parser{Ed25519, P256, RSA(crypto.SHA1), RSA(crypto.SHA256), HMAC(sha256.New), UserPassword}
	algorithms := []jose.SignatureAlgorithm{jose.RS256, jose.ES256}
	f.Fuzz(func(t *testing.T, material []byte) {
		for _, parse := range parsers {
			k, err := parse(material)
			if (k == nil) != (err != nil) {
				t.Fatalf("%v and %v came out of %q", k, err, material)
			}
			if err == nil && k.Match(Message{Body: material}, [][]byte{{}, []byte("nobody signed this")}) != 0 {
				t.Fatalf("%T of %q takes anything", k, material)
			}
		}
		keys, err := TokenKeys(material, algorithms)
		if err == nil && len(keys) == 0 || len(keys) > maxTokenKeys {
			t.Fatalf("%d keys came out of %q", len(keys), material)
		}
		for _, k := range keys {
			if !slices.Contains(algorithms, AlgorithmOf(k.Key)) {
				t.Fatalf("%T came out of %q", k.Key, material)
			}
		}
	})
}

// FuzzPrivate: whatever is given for a private key, what signs is verified by the
// public key that belongs to it.
func FuzzPrivate(f *testing.F) {
	for _, private := range []any{newP256(f), newRSA(f)} {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	m := Message{Body: []byte("signed")}
	f.Fuzz(func(t *testing.T, text []byte) {
		private, err := ParsePrivate(text)
		if err != nil {
			return
		}
		spellings, err := PublicSpellings(private.Public())
		if err != nil {
			return
		}
		for _, parse := range []Parser{P256, RSA(crypto.SHA256), Ed25519} {
			public, err := parse([]byte(spellings[len(spellings)-3]))
			if err != nil {
				continue
			}
			if signature, err := Private(private, public).Sign(m); err == nil && public.Match(m, [][]byte{signature}) != 1 {
				t.Fatalf("%T doesn't take what its private key signed", public)
			}
		}
	})
}

// FuzzSteps: a secret is the same with white space around it, and no step panics.
func FuzzSteps(f *testing.F) {
	f.Add("base64", []byte(" 'c2VjcmV0' "))
	f.Add("trim:whsec_", []byte("whsec_x"))
	f.Add("hex", []byte("00ff"))
	f.Add("nfkd", []byte("\u00e9\u200b"))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		bare := Unwrapped(value)
		if wrapped := slices.Concat([]byte("\ufeff \t"), value, []byte("\r\n")); !bytes.Equal(Unwrapped(wrapped), bare) {
			t.Fatalf("%q becomes %q, and another with space around it", value, bare)
		}
		parsed, err := ParseSteps([]string{name})
		if err != nil {
			return
		}
		_, _ = parsed[0](bare)
	})
}
