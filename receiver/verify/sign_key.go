package verify

import (
	"crypto"
	"errors"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// testKeyID is the key id of a private key, in schemes whose secrets are
// written "<key id>:<secret>": a private key brings none.
const testKeyID = "test"

// signer is what signs: a secret that both sides have, or a private key.
type signer struct {
	keymaterial.SigningKey
	id       string        // if the scheme's keys have ids
	material []byte        // for {secret}
	private  crypto.Signer // nil: the secret is shared
	public   secret.Value  // of private, as the endpoint's Secret would hold it
}

// findSigner takes what the scheme signs with.
func (w *signing) findSigner() (err error) {
	switch {
	case w.s.source != nil:
		return w.cannotFor(ErrSenderOnly, "%s: nobody else can sign", w.s.source.describe())
	case !w.s.publicKeys():
		return w.findSecret()
	case w.o.PrivateKey.Empty():
		return w.cannotFor(ErrNeedsPrivateKey, "signs with a private key that only the sender has: make a key pair, put its public key into the "+
			"endpoint's Secret, and sign with its private key")
	}
	w.signer, err = w.s.privateSigner(w.o.PrivateKey)
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
func (w *signing) findSecret() error {
	var reason error
	for _, value := range w.m.Secrets {
		if w.signer, reason = w.s.sharedSigner(value); reason == nil {
			return nil
		}
	}
	if reason == nil {
		return w.cannotFor(ErrNeedsSecret, "signs with the secret: give the one in the endpoint's Secret")
	}
	return w.cannotFor(ErrNeedsSecret, "signs with the secret, and the one that was given does not fit: %s", reason.Error())
}

// sharedSigner makes a secret ready that both sides have, or says what the scheme
// expects instead.
func (s *compiledScheme) sharedSigner(value secret.Value) (signer, error) {
	if s.token != nil {
		if _, err := s.prepareToken(value); err != nil {
			return signer{}, err
		}
		_, material, err := s.material(value)
		if err != nil {
			return signer{}, err
		}
		k, err := algorithms[HMACSHA256](material)
		return newSigner(usableKey{material: material, key: k}, err)
	}
	return newSigner(s.prepare(value))
}

func newSigner(k usableKey, err error) (signer, error) {
	signs, ok := k.key.(keymaterial.SigningKey)
	if err == nil && !ok {
		err = errors.New("it can only verify")
	}
	return signer{id: k.id, material: k.material, SigningKey: signs}, err
}

// privateSigner makes a private key ready, if its public key fits the scheme.
func (s *compiledScheme) privateSigner(value secret.Value) (signer, error) {
	private, err := keymaterial.ParsePrivate(value.Reveal())
	if err != nil {
		return signer{}, cannot(ErrNeedsPrivateKey, "the private key can't be used: %s", err.Error())
	}
	made := signer{private: private}
	if made.public, err = s.publicSecret(private.Public()); err == nil {
		made.SigningKey, err = s.signingKey(private, made.public)
	}
	if err != nil {
		return signer{}, cannot(ErrNeedsPrivateKey, "the private key does not fit the scheme %s: %s", s.name, err.Error())
	}
	if s.keyed() {
		made.id = testKeyID
	}
	return made, nil
}

// signingKey signs with a private key as the scheme verifies with its public one.
func (s *compiledScheme) signingKey(private crypto.Signer, public secret.Value) (keymaterial.SigningKey, error) {
	if s.token != nil {
		return keymaterial.PrivateToken(private)
	}
	k, err := s.prepare(public)
	return keymaterial.Private(private, k.key), err
}

// publicSecret writes a public key as a secret of the scheme. Which spelling
// that is, the scheme's own steps say.
func (s *compiledScheme) publicSecret(public crypto.PublicKey) (secret.Value, error) {
	spellings, err := keymaterial.PublicSpellings(public)
	if err != nil {
		return secret.Value{}, err
	}
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
func (w *signing) judges() *Material {
	if w.signer.private == nil || len(w.m.Secrets) > 0 {
		return w.m
	}
	judges := *w.m
	judges.Secrets = []secret.Value{w.signer.public}
	return &judges
}
