package intake

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"sallyport.dev/sallyport/receiver/verify"
)

// firstRead bounds the memory that a request gets before its bytes arrive. A larger
// body gets more as it comes, so that a mere Content-Length costs us nothing.
const firstRead = 64 << 10

// growth is the factor by which a full buffer grows. It bounds how much memory a
// sender gets for few bytes, and how often a body is copied.
const growth = 4

// unknownFirst is the size of the first buffer of a body of unknown length.
const unknownFirst = 4 << 10

var (
	errBodyTooLarge = errors.New("the body is larger than allowed")
	errNoMemory     = errors.New("too many bytes are in flight")
)

// read reads the raw body once, exactly as it was sent, because that is what the
// sender signed. Buffers are not pooled: the dispatcher keeps the body until the
// event is delivered.
func (h *Handler) read(x *exchange) error {
	control := http.NewResponseController(x.w)
	// An error means that a test's ResponseWriter has no connection.
	_ = control.SetReadDeadline(time.Now().Add(h.bodyTimeout))
	body, err := readBody(x.r.Body, x.r.ContentLength, x.entry.Route.Limits.MaxBodyBytes, x.memory.grow)
	x.complete = h.Now()
	if err != nil {
		// The deadline stays: to keep the connection, net/http reads on before it
		// answers, and must not wait for bytes that never come.
		return x.rejectBody(err)
	}
	_ = control.SetReadDeadline(time.Time{})
	x.body, x.meta.BodyBytes = body, int64(len(body))
	x.signed = verify.Request{
		Method: x.r.Method, URL: x.publicURL(), Header: x.r.Header, RawQuery: x.r.URL.RawQuery, Body: body,
		DecodeLimit: max(x.entry.Route.Limits.MaxBodyBytes, verify.DefaultDecodeLimit), Reserve: x.reserve,
	}
	return nil
}

// publicURL is the URL that the sender was given, with the query that it added, or
// the "?" of an empty one. The URL comes from the configuration: the request's own
// has gone through proxies and can be made up.
func (x *exchange) publicURL() string {
	public := x.entry.Route.PublicURL
	if public == "" || x.r.URL.RawQuery == "" && !x.r.URL.ForceQuery {
		return public
	}
	return public + "?" + x.r.URL.RawQuery
}

// reserve takes memory for decoded bytes. It remembers a failure, because the body
// can't be judged then, which is not the sender's fault.
func (x *exchange) reserve(n int64) bool {
	ok := x.memory.grow(n)
	x.crowded = x.crowded || !ok
	return ok
}

// readBody reads from r to its end. declared is the Content-Length, or negative
// if it is not known; it must not exceed limit. A body that goes on after limit
// bytes is an error, never cut off. reserve is asked before memory is taken.
func readBody(r io.Reader, declared, limit int64, reserve func(int64) bool) ([]byte, error) {
	first, most := int64(unknownFirst), limit+1 // one more, to see the end or too much
	if declared >= 0 {
		first, most = declared+1, declared+1
	}
	size := min(first, firstRead, most)
	if !reserve(size) {
		return nil, errNoMemory
	}
	body := make([]byte, 0, size)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > min(limit, most-1):
			return nil, errBodyTooLarge
		case errors.Is(err, io.EOF):
			return trim(body), nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			size := min(growth*int64(cap(body)), most)
			if !reserve(size - int64(cap(body))) {
				return nil, errNoMemory
			}
			body = append(make([]byte, 0, size), body...)
		}
	}
}

// trim gives back the unused memory of a body of unknown length.
func trim(body []byte) []byte {
	if cap(body)-len(body) > len(body)/4+1 {
		return slices.Clone(body)
	}
	return body
}
