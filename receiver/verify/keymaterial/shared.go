package keymaterial

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
)

// HMAC takes any bytes for the key of an HMAC (RFC 2104).
func HMAC(algorithm func() hash.Hash) Parser {
	return func(material []byte) (Key, error) { return macKey{algorithm, material}, nil }
}

type macKey struct {
	hash     func() hash.Hash
	material []byte
}

// Match implements Key.
func (k macKey) Match(m Message, signatures [][]byte) int { return anyEqual(k.sum(m), signatures) }

// Sign implements SigningKey.
func (k macKey) Sign(m Message) ([]byte, error) { return k.sum(m), nil }

func (k macKey) sum(m Message) []byte {
	mac := hmac.New(k.hash, k.material)
	m.writeTo(mac)
	return mac.Sum(nil)
}

// InMessage is for a plain SHA-256, where the key is inside of the message.
func InMessage([]byte) (Key, error) { return hashKey{}, nil }

type hashKey struct{}

// Match implements Key.
func (hashKey) Match(m Message, signatures [][]byte) int {
	digest := m.SHA256()
	hit := anyEqual(digest[:], signatures)
	if hit == 1 && extended(m.bytes()) {
		return 0
	}
	return hit
}

// Sign implements SigningKey.
func (hashKey) Sign(m Message) ([]byte, error) {
	digest := m.SHA256()
	return digest[:], nil
}

// lengthSize is how many bytes at the end of a padding say how long the text is.
const lengthSize = 8

// extended reports whether text goes on behind another one that was padded for
// SHA-256 (FIPS 180-4 §5.1.1). Whoever knows the hash of that one, and not the secret
// that it begins with, can compute the hash of such a text. No sender writes one.
func extended(text []byte) bool {
	for end := sha256.BlockSize; end <= len(text); end += sha256.BlockSize {
		bits := binary.BigEndian.Uint64(text[end-lengthSize : end])
		if bits%8 != 0 || bits/8 >= uint64(end-lengthSize) || uint64(end)-bits/8 > sha256.BlockSize+lengthSize {
			continue
		}
		if padding := text[bits/8 : end-lengthSize]; padding[0] == 0x80 && len(bytes.TrimLeft(padding[1:], "\x00")) == 0 {
			return true
		}
	}
	return false
}

// Credential takes any bytes for a secret that the sender sends as it is.
func Credential(material []byte) (Key, error) { return credentialKey(material), nil }

// UserPassword takes a credential as in RFC 7617.
func UserPassword(material []byte) (Key, error) {
	if !bytes.Contains(material, []byte(":")) {
		return nil, errors.New("it must be written user:password")
	}
	return credentialKey(material), nil
}

type credentialKey []byte

// Match implements Key. The signatures are what was sent as credentials.
func (k credentialKey) Match(_ Message, credentials [][]byte) int { return anyEqual(k, credentials) }

// Sign implements SigningKey.
func (k credentialKey) Sign(Message) ([]byte, error) { return k, nil }

// anyEqual compares with all signatures in constant time.
func anyEqual(want []byte, signatures [][]byte) (equal int) {
	for _, signature := range signatures {
		equal |= subtle.ConstantTimeCompare(want, signature)
	}
	return equal
}
