package intake

import (
	"crypto/rand"
	"net/http"
)

// maxRequestID bounds an id from outside, which goes into logs and headers.
const maxRequestID = 128

// requestID returns the X-Request-Id of a proxy if it is well-formed, so that the logs
// of the proxy and ours have one name for the request. Otherwise it makes one.
func requestID(header http.Header) string {
	if id := header.Get(headerRequestID); wellFormedID(id) {
		return id
	}
	return rand.Text()
}

// wellFormedID reports whether id is 1 to 128 characters of [A-Za-z0-9._-].
func wellFormedID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
