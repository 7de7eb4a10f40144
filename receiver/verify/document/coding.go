package document

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"slices"
	"strings"
)

// maxCodings bounds how many codings a body has, one in the other.
const maxCodings = 2

// Codings are the content codings that a header names (RFC 9110 §8.4), in the order in
// which they were applied, in lower case. Those that change nothing are left out:
// "identity", and the charset, which some senders take for a coding.
func Codings(header []string) (names []string) {
	for _, value := range header {
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

// Decompress returns a body without its codings. ok is false if one of them is none of
// gzip and deflate or is broken, or if more than limit bytes come of one. reserve is
// asked before memory is taken; nil: there is enough.
func Decompress(body []byte, codings []string, limit int64, reserve func(bytes int64) bool) (data []byte, ok bool) {
	if len(codings) > maxCodings {
		return nil, false
	}
	for _, name := range slices.Backward(codings) {
		decoded, err := decompress(name, body, limit, reserve)
		if err != nil {
			return nil, false
		}
		body = decoded
	}
	return body, true
}

var (
	errCoding  = errors.New("the content coding is not known")
	errTooLong = errors.New("the body decodes to more than is allowed")
	errBehind  = errors.New("there is something behind the encoded body")
)

// decompress undoes one content coding. Nothing may stand behind what is encoded:
// others might read it.
func decompress(name string, data []byte, limit int64, reserve func(int64) bool) ([]byte, error) {
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
	decoded, err := readAll(decoder, limit, reserve)
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

// readAll reads to the end, and no more than limit bytes.
func readAll(decoder io.Reader, limit int64, reserve func(int64) bool) ([]byte, error) {
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
