package verify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
)

// macKey is the key of an HMAC (RFC 2104).
type macKey struct {
	hash     func() hash.Hash
	material []byte
}

func (k macKey) match(m message, signatures [][]byte) int {
	mac := hmac.New(k.hash, k.material)
	m.writeTo(mac)
	return anyEqual(mac.Sum(nil), signatures)
}

// hashKey is for a plain hash: the key is inside the message.
type hashKey struct{}

func (hashKey) match(m message, signatures [][]byte) int {
	h := sha256.New()
	m.writeTo(h)
	hit := anyEqual(h.Sum(nil), signatures)
	if hit == 1 && extended(m.bytes()) {
		return 0
	}
	return hit
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

// anyEqual compares with all signatures in constant time.
func anyEqual(want []byte, signatures [][]byte) (equal int) {
	for _, signature := range signatures {
		equal |= subtle.ConstantTimeCompare(want, signature)
	}
	return equal
}
