package keymaterial

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
)

var errNoPrivateKey = errors.New("it must be a private key (RSA, P-256 or Ed25519) in PEM, without a passphrase")

// ParsePrivate reads a private key: the first PEM block that is one, of PKCS #8,
// PKCS #1 or SEC 1. Some tools write parameters before it.
func ParsePrivate(text []byte) (crypto.Signer, error) {
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

// PublicSpellings are the ways in which people write a public key.
func PublicSpellings(public crypto.PublicKey) ([]string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, errNoPrivateKey
	}
	var spellings []string
	if raw, ok := public.(ed25519.PublicKey); ok {
		spellings = append(spellings, hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw))
	}
	return append(spellings, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		base64.StdEncoding.EncodeToString(der), hex.EncodeToString(der)), nil
}

// Private signs with a private key as its public key verifies.
func Private(private crypto.Signer, public Key) SigningKey {
	switch public := public.(type) {
	case p256Key:
		return privateKey{private, crypto.SHA256}
	case rsaKey:
		return privateKey{private, public.hash}
	}
	return privateKey{private, crypto.Hash(0)}
}

type privateKey struct {
	crypto.Signer
	hash crypto.Hash // 0: the algorithm has its own
}

// Sign implements SigningKey. It needs no randomness: ECDSA takes none from a nil
// reader (RFC 6979), and the others never do.
func (k privateKey) Sign(m Message) ([]byte, error) {
	if k.hash == 0 {
		return k.Signer.Sign(nil, m.bytes(), k.hash)
	}
	return k.Signer.Sign(nil, m.sum(k.hash), k.hash)
}

// PrivateToken signs tokens with a private key, as in RFC 7518 §3: ES256 writes two
// numbers of 32 bytes, not ASN.1.
func PrivateToken(private crypto.Signer) (SigningKey, error) {
	switch private := private.(type) {
	case *rsa.PrivateKey:
		return privateKey{private, crypto.SHA256}, nil
	case *ecdsa.PrivateKey:
		return pairKey{privateKey{private, crypto.SHA256}}, nil
	}
	return nil, errors.New("a token is signed with RSA or P-256")
}

type pairKey struct{ privateKey }

// Sign implements SigningKey.
func (k pairKey) Sign(m Message) ([]byte, error) {
	der, err := k.privateKey.Sign(m)
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	both := make([]byte, 64)
	pair.R.FillBytes(both[:32])
	pair.S.FillBytes(both[32:])
	return both, nil
}
