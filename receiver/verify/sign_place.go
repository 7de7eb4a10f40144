package verify

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// format is the inverse of parse. A timestamp that nobody understands is written
// in seconds.
func (u Unit) format(t time.Time) string {
	switch u {
	case RFC3339:
		return t.UTC().Format(time.RFC3339)
	case Milliseconds:
		return strconv.FormatInt(t.UnixMilli(), 10)
	default:
		return strconv.FormatInt(t.Unix(), 10)
	}
}

// write is the inverse of parse, for one signature.
func (g Signature) write(text, keyID, timestamp string) string {
	switch {
	case g.List != nil:
		return g.List.Prefix + text
	case g.KeyValue != nil:
		item := g.KeyValue.SignatureKey + g.KeyValue.Equals + text
		if g.KeyValue.TimestampKey == "" {
			return item
		}
		return g.KeyValue.TimestampKey + g.KeyValue.Equals + timestamp + g.KeyValue.Separator + item
	case g.Pairs != nil:
		return keyID + g.Pairs.Equals + text
	}
	return g.Prefix + text
}

// clone copies what a sender sent.
func (r *Request) clone() *Request {
	c := &Request{Method: r.Method, URL: r.URL, Header: r.Header.Clone(), RawQuery: r.RawQuery, Body: bytes.Clone(r.Body), DecodeLimit: r.DecodeLimit, Reserve: r.Reserve}
	if c.Header == nil {
		c.Header = http.Header{}
	}
	return c
}

// forget drops what was parsed out of the request, because it changed.
func (r *Request) forget() {
	r.digest, r.query, r.media, r.decoded, r.body = nil, nil, nil, nil, bodyCache{}
}

// drop takes the values of a header or a parameter of the URL away.
func (r *Request) drop(at place) {
	if at.kind == inHeader {
		delete(r.Header, at.name)
	} else {
		r.setQuery(document.DropPairs(r.RawQuery, at.name))
	}
}

// setQuery changes the query of the request, and of its URL.
func (r *Request) setQuery(query string) {
	r.forget()
	r.RawQuery = query
	if r.URL == "" {
		return
	}
	r.URL, _, _ = strings.Cut(r.URL, "?")
	if query != "" {
		r.URL += "?" + query
	}
}

// set writes text where at says, instead of what is there.
func (w *signing) set(at place, text string) error {
	if err := w.r.set(at, text, w.s.timestamp != nil && w.s.timestamp.from.same(at)); err != nil {
		return w.cannot("needs %s: %s", at, err.Error())
	}
	return nil
}

// set writes text into a place. number: a new JSON member is written as a number.
func (r *Request) set(at place, text string, number bool) (err error) {
	defer r.forget()
	switch at.kind {
	case inHeader:
		r.Header[at.name] = []string{text}
	case inQuery:
		r.setQuery(document.SetPair(r.RawQuery, at.name, text))
	case inForm:
		return r.setField(at.name, text)
	case inClaim:
		r.claims, err = at.pointer.Put(r.claims, text, number)
	default:
		return r.setMember(at.pointer, text, number)
	}
	return err
}

var (
	errNotForm    = errors.New("the body must be a form of type " + formType)
	errNoPart     = errors.New("the body must be a form with that field")
	errNotJSON    = errors.New("the body must be JSON")
	errCompressed = errors.New("the body is compressed (Content-Encoding): give it as it was before")
)

// setField writes a field of a form.
func (r *Request) setField(name, text string) error {
	if len(r.Body) == 0 && len(r.Header["Content-Type"]) == 0 {
		r.Header["Content-Type"] = []string{formType}
		r.forget()
	}
	if r.compressed() {
		return errCompressed
	}
	if media := r.mediaOf(); media.name == multipartType {
		body, ok := document.SetPart(r.Body, media.boundary, name, text)
		if !ok {
			return errNoPart
		}
		r.Body = body
		return nil
	}
	if !r.isPlainForm() {
		return errNotForm
	}
	r.Body = []byte(document.SetPair(string(r.Body), name, text))
	return nil
}

// setMember writes a JSON member of the body.
func (r *Request) setMember(p document.Pointer, text string, number bool) error {
	if len(r.Body) == 0 {
		r.Body = []byte("{}")
		r.forget()
	}
	if r.compressed() {
		return errCompressed
	}
	if !r.isJSON() {
		return errNotJSON
	}
	body, err := p.Put(r.Body, text, number)
	if err == nil {
		r.Body = body
	}
	return err
}
