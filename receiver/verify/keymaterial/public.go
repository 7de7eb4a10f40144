package keymaterial

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// minRSABits refuses keys that can be factored.
const minRSABits = 2048

// parsePublic reads a public key: PEM, or DER of a SubjectPublicKeyInfo.
func parsePublic(material []byte) (any, error) {
	if block, _ := pem.Decode(material); block != nil {
		material = block.Bytes
	} else if bytes.HasPrefix(material, []byte("-----")) {
		return nil, errors.New("the PEM block is damaged")
	}
	return x509.ParsePKIXPublicKey(material)
}

type ed25519Key ed25519.PublicKey

// Ed25519 takes a public key of that kind: as the others, or its 32 bytes, as most
// senders print them.
func Ed25519(material []byte) (Key, error) {
	if len(material) == ed25519.PublicKeySize {
		return ed25519Key(material), nil
	}
	if public, err := parsePublic(material); err == nil {
		if k, ok := public.(ed25519.PublicKey); ok {
			return ed25519Key(k), nil
		}
	}
	return nil, errors.New("it must be an Ed25519 public key")
}

// Match implements Key.
func (k ed25519Key) Match(m Message, signatures [][]byte) int {
	return anyVerifies(signatures, m.bytes(), func(all, signature []byte) bool {
		return ed25519.Verify(ed25519.PublicKey(k), all, signature)
	})
}

type p256Key struct{ *ecdsa.PublicKey }

// P256 takes a public key for ECDSA with SHA-256: PEM, or DER of a
// SubjectPublicKeyInfo.
func P256(material []byte) (Key, error) {
	if public, err := parsePublic(material); err == nil {
		if k, ok := public.(*ecdsa.PublicKey); ok && k.Curve == elliptic.P256() {
			return p256Key{k}, nil
		}
	}
	return nil, errors.New("it must be a public key on the curve P-256, as PEM or base64 of a SubjectPublicKeyInfo")
}

// Match implements Key.
func (k p256Key) Match(m Message, signatures [][]byte) int {
	return anyVerifies(signatures, m.sum(crypto.SHA256), func(digest, signature []byte) bool {
		return ecdsa.VerifyASN1(k.PublicKey, digest, signature)
	})
}

type rsaKey struct {
	*rsa.PublicKey
	hash crypto.Hash
}

// RSA takes a public key for PKCS #1 v1.5: PEM, or DER of a SubjectPublicKeyInfo.
func RSA(hash crypto.Hash) Parser {
	return func(material []byte) (Key, error) {
		if public, err := parsePublic(material); err == nil {
			if k, ok := public.(*rsa.PublicKey); ok && k.N.BitLen() >= minRSABits {
				return rsaKey{k, hash}, nil
			}
		}
		return nil, errors.New("it must be an RSA public key of at least 2048 bits, as PEM or base64 of a SubjectPublicKeyInfo")
	}
}

// Match implements Key.
func (k rsaKey) Match(m Message, signatures [][]byte) int {
	return anyVerifies(signatures, m.sum(k.hash), func(digest, signature []byte) bool {
		return rsa.VerifyPKCS1v15(k.PublicKey, k.hash, digest, signature) == nil
	})
}

// anyVerifies looks at all signatures.
func anyVerifies(signatures [][]byte, signed []byte, verify func(signed, signature []byte) bool) (matched int) {
	for _, signature := range signatures {
		if verify(signed, signature) {
			matched = 1
		}
	}
	return matched
}
