package receiver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"sallyport.dev/sallyport/receiver/verify"
)

// firstRead is how much memory a request gets on its word alone. A larger body
// gets more as its bytes arrive, so that a Content-Length costs us nothing.
const firstRead = 64 << 10

// growth is how many times what has arrived a request may take next. It bounds
// what a sender can make us hold by sending little, and how often a body is
// copied.
const growth = 4

// unknownFirst is the first buffer of a body of unknown length.
const unknownFirst = 4 << 10

var (
	errBodyTooLarge = errors.New("the body is larger than allowed")
	errNoMemory     = errors.New("too many bytes are in flight")
)

// read reads the raw body once, as a whole and exactly as it was sent: what the
// sender signed. Buffers are not pooled, because the body lives on in the
// dispatcher until the event is delivered.
func (h *Handler) read(x *exchange) error {
	control := http.NewResponseController(x.w)
	// The error says that a test's ResponseWriter has no connection.
	_ = control.SetReadDeadline(time.Now().Add(h.bodyTimeout))
	body, err := readBody(x.r.Body, x.r.ContentLength, x.entry.Route.Limits.MaxBodyBytes, x.memory.grow)
	x.complete = h.now()
	if err != nil {
		// The deadline stays: net/http reads on before it answers, to keep the
		// connection, and must not wait for what doesn't come.
		return rejectBody(x, err)
	}
	_ = control.SetReadDeadline(time.Time{})
	x.body, x.meta.BodyBytes = body, int64(len(body))
	x.signed = verify.Request{
		Method: x.r.Method, URL: x.publicURL(), Header: x.r.Header, RawQuery: x.r.URL.RawQuery, Body: body,
		DecodeLimit: max(x.entry.Route.Limits.MaxBodyBytes, verify.DefaultDecodeLimit), Reserve: x.reserve,
	}
	return nil
}

// reserve asks for memory for what is decoded, and remembers if there was none: then
// nothing is known of the body, and that is not its fault.
func (x *exchange) reserve(n int64) bool {
	ok := x.memory.grow(n)
	x.crowded = x.crowded || !ok
	return ok
}

func rejectBody(x *exchange, err error) *reject {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return x.tooLarge()
	case errors.Is(err, errNoMemory):
		return noMemory()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &reject{status: http.StatusRequestTimeout, reason: "the body came too slowly, please send again", cause: err}
	default:
		return &reject{status: http.StatusBadRequest, reason: "the body could not be read to its end", cause: err}
	}
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

// trim gives memory back that a body of unknown length took for growing.
func trim(body []byte) []byte {
	if cap(body)-len(body) > len(body)/4+1 {
		return slices.Clone(body)
	}
	return body
}
