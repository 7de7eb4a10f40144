package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
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
	return anyEqual(h.Sum(nil), signatures)
}

// anyEqual compares with all signatures in constant time.
func anyEqual(want []byte, signatures [][]byte) (equal int) {
	for _, signature := range signatures {
		equal |= subtle.ConstantTimeCompare(want, signature)
	}
	return equal
}
