package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"sallyport.dev/sallyport/receiver/secret"
)

// testKeyID is the key id of a private key, in schemes whose secrets are
// written "<key id>:<secret>": a private key brings none.
const testKeyID = "test"

// signingKey is what a signature can be made with.
type signingKey interface {
	sign(m message) ([]byte, error)
}

// pen is what signs: a secret that both sides have, or a private key.
type pen struct {
	signingKey
	id       string        // if the scheme's keys have ids
	material []byte        // for {secret}
	private  crypto.Signer // nil: the secret is shared
	public   secret.Value  // of private, as the endpoint's Secret would hold it
}

func (k macKey) sign(m message) ([]byte, error) {
	mac := hmac.New(k.hash, k.material)
	m.writeTo(mac)
	return mac.Sum(nil), nil
}

func (hashKey) sign(m message) ([]byte, error) { //nolint:unparam // a signingKey
	h := sha256.New()
	m.writeTo(h)
	return h.Sum(nil), nil
}

func (k credentialKey) sign(message) ([]byte, error) { return k, nil }

// privateKey signs with a private key as the scheme's public keys verify.
type privateKey struct {
	crypto.Signer
	public key
}

// sign needs no randomness: ECDSA takes none from a nil reader (RFC 6979), and
// the others never do.
func (k privateKey) sign(m message) ([]byte, error) {
	signed, hash := m.bytes(), crypto.Hash(0)
	switch public := k.public.(type) {
	case p256Key:
		hash = crypto.SHA256
	case rsaKey:
		hash = public.hash
	}
	if hash != 0 {
		signed = sum(m, hash)
	}
	signature, err := k.Sign(nil, signed, hash)
	if err != nil {
		return nil, cannot(ErrCannotSign, "the private key doesn't sign: make another")
	}
	return signature, nil
}

// publicKeys reports whether the scheme verifies with public keys.
func (s *compiled) publicKeys() bool {
	if s.token != nil {
		return s.token.algorithms[0] != jose.HS256
	}
	return slices.Contains(publicKeyed, s.named)
}

// findPen takes what the scheme signs with.
func (w *draft) findPen() (err error) {
	switch {
	case w.s.source != nil:
		return w.cannotFor(ErrSenderOnly, "%s: nobody else can sign", w.s.source.describe())
	case !w.s.publicKeys():
		return w.findSecret()
	case w.o.PrivateKey.Empty():
		return w.cannotFor(ErrNeedsPrivateKey, "signs with a private key that only the sender has: make a key pair, put its public key into the "+
			"endpoint's Secret, and sign with its private key")
	}
	w.pen, err = w.s.privatePen(w.o.PrivateKey)
	return err
}

// describe says where the keys come from.
func (k *compiledSource) describe() string {
	if k.certificate != nil {
		return "takes its key from a certificate of the sender, whose URL is in " + k.certificate.from.String()
	}
	return "takes its keys from " + k.url + ", where the sender publishes them"
}

// findSecret takes the newest secret that fits.
func (w *draft) findSecret() error {
	var reason error
	for _, value := range w.m.Secrets {
		if w.pen, reason = w.s.sharedPen(value); reason == nil {
			return nil
		}
	}
	if reason == nil {
		return w.cannotFor(ErrNeedsSecret, "signs with the secret: give the one in the endpoint's Secret")
	}
	return w.cannotFor(ErrNeedsSecret, "signs with the secret, and the one that was given does not fit: %s", reason.Error())
}

// sharedPen makes a secret ready that both sides have, or says what the scheme
// expects instead.
func (s *compiled) sharedPen(value secret.Value) (pen, error) {
	if s.token != nil {
		if _, err := s.prepareToken(value); err != nil {
			return pen{}, err
		}
		_, material, err := s.material(value)
		return pen{material: material, signingKey: macKey{sha256.New, material}}, err
	}
	k, err := s.prepare(value)
	signs, ok := k.key.(signingKey)
	if err == nil && !ok {
		err = errors.New("it can only verify")
	}
	return pen{id: k.id, material: k.material, signingKey: signs}, err
}

// privatePen makes a private key ready, if its public key fits the scheme.
func (s *compiled) privatePen(value secret.Value) (pen, error) {
	private, err := parsePrivate(value.Reveal())
	if err != nil {
		return pen{}, cannot(ErrNeedsPrivateKey, "the private key can't be used: %s", err.Error())
	}
	public, err := s.publicSecret(private.Public())
	if err != nil {
		return pen{}, cannot(ErrNeedsPrivateKey, "the private key does not fit the scheme %s: %s", s.name, err.Error())
	}
	made := pen{private: private, public: public}
	if s.keyed() {
		made.id = testKeyID
	}
	if s.token == nil {
		k, _ := s.prepare(public)
		made.signingKey = privateKey{private, k.key}
	}
	return made, nil
}

var errNoPrivateKey = errors.New("it must be a private key (RSA, P-256 or Ed25519) in PEM, without a passphrase")

// parsePrivate reads a private key: the first PEM block that is one, of PKCS #8,
// PKCS #1 or SEC 1. Some tools write parameters before it.
func parsePrivate(text []byte) (crypto.Signer, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errNoPrivateKey
		}
		if private := privateOf(block.Bytes); private != nil {
			return private, nil
		}
		text = rest
	}
}

// privateOf reads the DER of a private key; nil: it is none.
func privateOf(der []byte) crypto.Signer {
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		private, _ := parsed.(crypto.Signer)
		return private
	}
	if private, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return private
	}
	if private, err := x509.ParseECPrivateKey(der); err == nil {
		return private
	}
	return nil
}

// PublicSecret is what the endpoint's Secret must hold, so that what is signed
// with a private key (PEM) is accepted: its public key, as the scheme of that name
// reads it; an empty name stands for the first scheme that verifies with public
// keys. The error is an ErrCannotSign.
func (v *Verifier) PublicSecret(scheme string, private secret.Value) (secret.Value, error) {
	for i := range v.schemes {
		s := &v.schemes[i]
		if s.source != nil || !s.publicKeys() || scheme != "" && s.name != scheme {
			continue
		}
		made, err := s.privatePen(private)
		return made.public, err
	}
	return secret.Value{}, cannot(ErrCannotSign, "no scheme verifies with a public key that is in the endpoint's Secret: there is no use for a private key")
}

// publicSecret writes a public key as a secret of the scheme. Which spelling
// that is, the scheme's own steps say.
func (s *compiled) publicSecret(public crypto.PublicKey) (secret.Value, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return secret.Value{}, errNoPrivateKey
	}
	var spellings []string
	if raw, ok := public.(ed25519.PublicKey); ok {
		spellings = []string{Hex.encode(raw), Base64.encode(raw)}
	}
	spellings = append(spellings, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), Base64.encode(der), Hex.encode(der))
	for _, spelling := range spellings {
		if s.keyed() {
			spelling = testKeyID + ":" + spelling
		}
		value := secret.New([]byte(spelling))
		if err = s.checkKey(value); err == nil {
			return value, nil
		}
	}
	return secret.Value{}, err
}

// judges is what the request that was signed is checked with.
func (w *draft) judges() *Material {
	if w.pen.private == nil || len(w.m.Secrets) > 0 {
		return w.m
	}
	judges := *w.m
	judges.Secrets = []secret.Value{w.pen.public}
	return &judges
}

// samePublic compares public keys.
func samePublic(a, b any) bool {
	switch k := a.(type) {
	case *rsa.PublicKey:
		return k.Equal(b)
	case *ecdsa.PublicKey:
		return k.Equal(b)
	}
	return false
}
