package verify

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"slices"
	"strings"
)

// DefaultDecodeLimit bounds what comes of a body with a Content-Encoding.
const DefaultDecodeLimit = 8 << 20

// maxCodings bounds how many codings a body has, one in the other.
const maxCodings = 2

// decodedBody is the body as its Content-Encoding means it.
type decodedBody struct {
	data []byte
	ok   bool
}

// codings are the content codings of the body (RFC 9110 §8.4), in the order in
// which they were applied, in lower case. Those that change nothing are left out: the
// one for it, and the charset, which some senders take for a coding.
func (r *Request) codings() (names []string) {
	for _, value := range r.Header["Content-Encoding"] {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			switch name {
			case "", "identity", "utf-8", "utf8":
			default:
				names = append(names, name)
			}
		}
	}
	return names
}

// Document is the body as its Content-Encoding means it: without one, the body
// itself. A byte order mark stays. ok is false if the encoding is none of gzip and
// deflate, is broken, or decodes to more than DecodeLimit bytes. It is decoded once.
//
// It is for requests that are verified: before, anybody could have the receiver
// decode what takes a thousand times the space.
func (r *Request) Document() (data []byte, ok bool) {
	names := r.codings()
	if len(names) == 0 {
		return r.Body, true
	}
	if r.decoded == nil {
		data, ok := r.decode(names)
		r.decoded = &decodedBody{data, ok}
	}
	return r.decoded.data, r.decoded.ok
}

// compressed reports whether the body has a Content-Encoding.
func (r *Request) compressed() bool { return len(r.codings()) > 0 }

// decodable reports whether Document can decode it.
func (r *Request) decodable() bool {
	_, ok := r.Document()
	return ok
}

func (r *Request) decode(names []string) (data []byte, ok bool) {
	if len(names) > maxCodings {
		return nil, false
	}
	data = r.Body
	for _, name := range slices.Backward(names) {
		decoded, err := decodeCoding(name, data, cmp.Or(r.DecodeLimit, DefaultDecodeLimit), r.Reserve)
		if err != nil {
			return nil, false
		}
		data = decoded
	}
	return data, true
}

var (
	errCoding  = errors.New("the content coding is not known")
	errTooLong = errors.New("the body decodes to more than is allowed")
	errBehind  = errors.New("there is something behind the encoded body")
)

// decodeCoding decodes one content coding. Nothing may stand behind what is
// encoded: others might read it.
func decodeCoding(name string, data []byte, limit int64, reserve func(int64) bool) ([]byte, error) {
	var (
		in      = bytes.NewReader(data)
		decoder io.Reader
		err     error
	)
	switch name {
	case "gzip", "x-gzip":
		decoder, err = gzip.NewReader(in)
	case "deflate":
		decoder, err = newInflater(in)
	default:
		err = errCoding
	}
	if err != nil {
		return nil, err
	}
	decoded, err := readDecoded(decoder, limit, reserve)
	if err == nil && in.Len() > 0 {
		err = errBehind
	}
	return decoded, err
}

// newInflater reads zlib, which "deflate" means (RFC 9110 §8.4.1.2), or bare
// deflate, which some send.
func newInflater(in *bytes.Reader) (io.Reader, error) {
	decoder, err := zlib.NewReader(in)
	if errors.Is(err, zlib.ErrHeader) {
		if _, err = in.Seek(0, io.SeekStart); err == nil {
			return flate.NewReader(in), nil
		}
	}
	return decoder, err
}

// firstDecoded is the first buffer of a decoded body, which grows by doubling.
const firstDecoded = 64 << 10

// readDecoded reads to the end, and no more than limit bytes.
func readDecoded(decoder io.Reader, limit int64, reserve func(int64) bool) ([]byte, error) {
	var data []byte
	for size := min(firstDecoded, limit+1); ; size = min(2*size, limit+1) { // one more, to see too much
		if reserve != nil && !reserve(size-int64(cap(data))) {
			return nil, errTooLong
		}
		data = append(make([]byte, 0, size), data...)
		for len(data) < cap(data) {
			n, err := decoder.Read(data[len(data):cap(data)])
			data = data[:len(data)+n]
			switch {
			case int64(len(data)) > limit:
				return nil, errTooLong
			case errors.Is(err, io.EOF):
				return data, nil
			case err != nil:
				return nil, err
			}
		}
	}
}

// explain adds to the rejection of a compressed body which of its bytes count:
// senders differ in it.
func (s *compiled) explain(rejection *Rejection, r *Request) *Rejection {
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

// explainCoding says of a body that is not what it must be whether that is for want of
// a way to decompress it.
func (r *Request) explainCoding(rejection *Rejection) *Rejection {
	if r.compressed() && !r.decodable() {
		rejection.Detail += "; it can't be decompressed as Content-Encoding says: gzip and deflate are known"
	}
	return rejection
}
