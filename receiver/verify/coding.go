package verify

import (
	"cmp"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// DefaultDecodeLimit bounds what comes of a body with a Content-Encoding.
const DefaultDecodeLimit = 8 << 20

// decodedBody is the body as its Content-Encoding means it.
type decodedBody struct {
	data []byte
	ok   bool
}

// Document is the body as its Content-Encoding means it: without one, the body
// itself. A byte order mark stays. ok is false if the encoding is neither gzip nor
// deflate, is broken, or decodes to more than DecodeLimit bytes. It is decoded once.
//
// It is for requests that are verified: otherwise a stranger could make the receiver
// decode a body to a thousand times its size.
func (r *Request) Document() (data []byte, ok bool) {
	names := document.Codings(r.Header["Content-Encoding"])
	if len(names) == 0 {
		return r.Body, true
	}
	if r.decoded == nil {
		data, ok := document.Decompress(r.Body, names, cmp.Or(r.DecodeLimit, DefaultDecodeLimit), r.Reserve)
		r.decoded = &decodedBody{data, ok}
	}
	return r.decoded.data, r.decoded.ok
}

// compressed reports whether the body has a Content-Encoding.
func (r *Request) compressed() bool { return len(document.Codings(r.Header["Content-Encoding"])) > 0 }

// decodable reports whether Document can decode it.
func (r *Request) decodable() bool {
	_, ok := r.Document()
	return ok
}

// explain adds to the rejection of a compressed body which of its bytes count:
// senders differ in it.
func (s *compiledScheme) explain(rejection *Rejection, r *Request) *Rejection {
	switch {
	case rejection.Reason != WrongSignature || !r.compressed():
	case s.encoding == Decoded:
		rejection.Detail += "; the body is compressed (Content-Encoding), and what is verified are the decompressed bytes"
	default:
		rejection.Detail += "; the body is compressed (Content-Encoding), and what is verified are the bytes as they were sent"
	}
	return rejection
}

// explainClosed adds to the rejection of a compressed body that nothing of it was
// looked at.
func (r *Request) explainClosed(rejection *Rejection) *Rejection {
	if r.trust.closed {
		rejection.Detail += "; the body is compressed (Content-Encoding), and is not looked into before it is verified"
	}
	return rejection
}

// explainCoding adds to the rejection of a body that it could not be decompressed, if
// that is so.
func (r *Request) explainCoding(rejection *Rejection) *Rejection {
	if r.compressed() && !r.decodable() {
		rejection.Detail += "; it can't be decompressed as Content-Encoding says: gzip and deflate are known"
	}
	return rejection
}
