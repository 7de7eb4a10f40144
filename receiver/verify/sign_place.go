package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// encode is the inverse of decode.
func (e Encoding) encode(b []byte) string {
	switch e {
	case Hex:
		return hex.EncodeToString(b)
	case Base64:
		return base64.StdEncoding.EncodeToString(b)
	case Base64URL:
		return base64.RawURLEncoding.EncodeToString(b)
	default:
		return string(b)
	}
}

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
		r.setQuery(dropPairs(r.RawQuery, at.name))
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

// set writes text into a place, in the stead of what is there.
func (w *draft) set(at place, text string) error {
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
		r.setQuery(setPair(r.RawQuery, at.name, text))
	case inForm:
		return r.setField(at.name, text)
	case inClaim:
		r.claims, err = at.pointer.put(r.claims, text, number)
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
	errNoRoom     = errors.New("the body must have an object or an array in the place that it is in")
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
		body, ok := setPart(r.Body, media.boundary, name, text)
		if !ok {
			return errNoPart
		}
		r.Body = body
		return nil
	}
	if !r.isPlainForm() {
		return errNotForm
	}
	r.Body = []byte(setPair(string(r.Body), name, text))
	return nil
}

// setMember writes a JSON member of the body.
func (r *Request) setMember(p pointer, text string, number bool) error {
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
	body, err := p.put(r.Body, text, number)
	if err == nil {
		r.Body = body
	}
	return err
}

// setPair sets a name in text that is written as a query. All else stays as it
// is written.
func setPair(text, name, value string) string {
	pair := url.QueryEscape(name) + "=" + url.QueryEscape(value)
	kept := pairsOf(text)
	if i := slices.IndexFunc(kept, func(p string) bool { return nameOf(p) == name }); i >= 0 {
		kept[i] = pair
		rest := slices.DeleteFunc(kept[i+1:], func(p string) bool { return nameOf(p) == name })
		return strings.Join(kept[:i+1+len(rest)], "&")
	}
	return strings.Join(append(kept, pair), "&")
}

// dropPairs takes a name out of text that is written as a query.
func dropPairs(text, name string) string {
	return strings.Join(slices.DeleteFunc(pairsOf(text), func(p string) bool { return nameOf(p) == name }), "&")
}

func pairsOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "&")
}

func nameOf(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	plain, err := url.QueryUnescape(name)
	if err != nil {
		return name
	}
	return plain
}

// find returns what p leads to in a valid document, up to its end; nil: nothing.
// "*" stands for the first element.
func (p pointer) find(text []byte) []byte {
	value := document.Trim(text)
	for _, token := range p {
		if value = descend(value, token); value == nil {
			return nil
		}
	}
	return value
}

func descend(value []byte, token string) []byte {
	if token != anyElement {
		return document.Child(value, token)
	}
	return document.First(value)
}

// put returns a valid document in which p leads to text. All else stays as it is
// written; what is missing on the way is added. A number stays a number, if text
// is one; number says whether a new member is one.
func (p pointer) put(whole []byte, text string, number bool) ([]byte, error) {
	value := document.Trim(whole)
	for i, token := range p {
		next := descend(value, token)
		if next == nil {
			return insert(whole, value, p[i:], literal(nil, text, number))
		}
		value = next
	}
	old := document.Value(value)
	if old[0] == '{' || old[0] == '[' {
		return nil, errors.New("there is an object or an array in its place: it must be a text")
	}
	at := len(whole) - len(value)
	return slices.Concat(whole[:at], literal(old, text, number), whole[at+len(old):]), nil
}

// literal writes text as JSON, in the stead of old.
func literal(old []byte, text string, number bool) []byte {
	if len(old) > 0 && old[0] != 'n' {
		number = old[0] != '"'
	}
	if number && (isNumber(text) || text == "true" || text == "false") {
		return []byte(text)
	}
	return appendQuoted(nil, text)
}

// isNumber reports whether text is a JSON number, without the space around it that
// a document may have.
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') &&
		!strings.ContainsAny(text, " \t\r\n") && json.Valid([]byte(text))
}

// insert adds what p names to a container that value starts with.
func insert(whole, value []byte, p pointer, text []byte) ([]byte, error) {
	for _, token := range slices.Backward(p[1:]) {
		if token == anyElement || token == "0" {
			text = slices.Concat([]byte{'['}, text, []byte{']'})
		} else {
			text = slices.Concat(appendQuoted([]byte{'{'}, token), []byte{':'}, text, []byte{'}'})
		}
	}
	switch {
	case value[0] == '{' && p[0] != anyElement:
		text = slices.Concat(appendQuoted(nil, p[0]), []byte{':'}, text)
	case value[0] == '[' && appends(value, p[0]):
	default:
		return nil, errNoRoom
	}
	if rest := document.SkipSpace(value[1:]); rest[0] != '}' && rest[0] != ']' {
		text = append([]byte{','}, text...)
	}
	end := len(whole) - len(value) + document.Len(value) - 1
	return slices.Concat(whole[:end], text, whole[end:]), nil
}

// appends reports whether a token is the index behind the last element of an array.
func appends(array []byte, token string) bool {
	n := 0
	for rest := document.First(array); rest != nil; rest = document.Next(rest) {
		n++
	}
	return token == strconv.Itoa(n) || token == anyElement && n == 0
}
