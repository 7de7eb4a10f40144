package verify

import (
	"crypto/sha256"

	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// message is what was signed.
type message struct {
	keymaterial.Message
	whole bool // Body is what {body} stands for
}

// digest is the SHA-256 of m. If m is what {body} stands for, it is computed once.
func (m message) digest(r *Request) [sha256.Size]byte {
	if m.whole && len(m.Head)+len(m.Tail) == 0 {
		return r.contentSHA256()
	}
	return m.SHA256()
}
