package keymaterial

import (
	"crypto"
	"crypto/sha256"
	"hash"
)

// Message is what was signed, in pieces: the body may be large, and is never copied.
type Message struct{ Head, Body, Tail []byte }

// SHA256 is the digest of m.
func (m Message) SHA256() [sha256.Size]byte {
	h := sha256.New()
	m.writeTo(h)
	return [sha256.Size]byte(h.Sum(nil))
}

// writeTo writes m into a hash, which never fails.
func (m Message) writeTo(h hash.Hash) {
	_, _ = h.Write(m.Head)
	_, _ = h.Write(m.Body)
	_, _ = h.Write(m.Tail)
}

// bytes is m in one piece, for algorithms that need it so.
func (m Message) bytes() []byte {
	all := make([]byte, 0, len(m.Head)+len(m.Body)+len(m.Tail))
	return append(append(append(all, m.Head...), m.Body...), m.Tail...)
}

func (m Message) sum(algorithm crypto.Hash) []byte {
	h := algorithm.New()
	m.writeTo(h)
	return h.Sum(nil)
}
