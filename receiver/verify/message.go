package verify

import (
	"crypto/sha256"
	"hash"
)

// message is what was signed. The body, which may be large, is never copied.
type message struct {
	head, body, tail []byte
	whole            bool // the body is what {body} stands for
}

// writeTo writes m into a hash, which never fails.
func (m message) writeTo(h hash.Hash) {
	_, _ = h.Write(m.head)
	_, _ = h.Write(m.body)
	_, _ = h.Write(m.tail)
}

// bytes is m in one piece, for algorithms that need it so.
func (m message) bytes() []byte {
	all := make([]byte, 0, len(m.head)+len(m.body)+len(m.tail))
	return append(append(append(all, m.head...), m.body...), m.tail...)
}

// digest is the SHA-256 of m. If m is what {body} stands for, it is computed once.
func (m message) digest(r *Request) [sha256.Size]byte {
	if m.whole && len(m.head)+len(m.tail) == 0 {
		return r.contentSHA256()
	}
	h := sha256.New()
	m.writeTo(h)
	return [sha256.Size]byte(h.Sum(nil))
}
