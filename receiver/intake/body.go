package intake

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"sallyport.dev/sallyport/receiver/verify"
)

// firstRead is the memory that a request gets before its bytes arrive. A larger body
// gets more as it comes, so that a mere Content-Length costs us nothing.
const firstRead = 4 << 10

// growth is the factor by which a full buffer grows, or a quarter more if that is all. It
// bounds how much memory a sender gets for few bytes, and how often a body is copied.
const growth = 4

var (
	errBodyTooLarge = errors.New("the body is larger than allowed")
	errNoMemory     = errors.New("too many bytes are in flight")
)

// read reads the raw body once, exactly as it was sent, because that is what the
// sender signed. Buffers are not pooled: the dispatcher keeps the body until the
// event is delivered.
func (h *Handler) read(x *exchange) error {
	control := http.NewResponseController(x.w)
	x.readBegun = true
	x.memory.startReading(func(t time.Time) {
		_ = control.SetReadDeadline(t) // an error means that a test's ResponseWriter has no connection
	})
	body, err := readBody(&arrival{
		body: x.r.Body, grace: h.bodyGrace, timeout: h.bodyTimeout, setDeadline: x.memory.keepReading,
	}, x.r.ContentLength, x.entry.Route.Limits.MaxBodyBytes, x.growBody)
	x.complete = h.Now()
	x.gaveUp = errors.Is(err, os.ErrDeadlineExceeded)
	if !x.memory.stopReading() {
		x.gaveUp, err = true, errNoMemory
	}
	if err != nil {
		return x.rejectBody(err)
	}
	_ = control.SetReadDeadline(time.Time{})
	x.connection.busy()
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

// growBody takes memory for the body. The connection of a large body is not closed for the
// sake of another: there are few, because their memory is bounded.
func (x *exchange) growBody(n int64) bool {
	ok := x.memory.grow(n)
	if ok && x.memory.isLarge() {
		x.connection.busy()
	}
	return ok
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
	most := limit + 1 // one more, to see the end or too much
	if declared >= 0 {
		most = declared + 1
	}
	size := min(firstRead, most)
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
			size := growth * int64(cap(body))
			if size+size/growth >= most {
				size = most
			}
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
