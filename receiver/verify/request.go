package verify

import (
	"bytes"
	"crypto/sha256"
	"mime"
	"net/http"
	"net/url"
)

// formType is the media type of a form body.
const formType = "application/x-www-form-urlencoded"

// Request is what a sender sent. It remembers what was parsed out of it, so it
// is for one goroutine at a time; don't change its fields after the first use.
type Request struct {
	// Method is the HTTP method.
	Method string
	// URL is the public URL as it was given to the sender, with the query of this
	// request; empty if it is not known.
	URL string
	// Header is the header as net/http parsed it.
	Header http.Header
	// RawQuery is the query of the URL without "?".
	RawQuery string
	// Body is the body as it came.
	Body []byte

	// claims are those of the token that verified the request, as JSON.
	claims []byte

	digest *[sha256.Size]byte
	query  url.Values
	form   *formBody
	json   *bool
}

// formBody is the body as a form.
type formBody struct {
	values url.Values
	ok     bool
}

// BodySHA256 is the digest of the body. It is computed once.
func (r *Request) BodySHA256() [sha256.Size]byte {
	if r.digest == nil {
		digest := sha256.Sum256(r.Body)
		r.digest = &digest
	}
	return *r.digest
}

// mediaType is the type of the body in lower case, without parameters; empty
// if there is none or it is malformed.
func (r *Request) mediaType() string {
	values := r.Header["Content-Type"]
	if len(values) != 1 {
		return ""
	}
	name, _, err := mime.ParseMediaType(values[0])
	if err != nil {
		return ""
	}
	return name
}

// queryValues are the parameters of the URL. Malformed ones count as missing.
func (r *Request) queryValues() url.Values {
	if r.query == nil {
		r.query, _ = url.ParseQuery(r.RawQuery)
	}
	return r.query
}

// formValues are the fields of the body, if it is declared as a form and is
// one. A body that is declared as something else is not read as a form: what
// the signature covers must be what the target will read.
func (r *Request) formValues() (url.Values, bool) {
	if r.form == nil {
		r.form = &formBody{}
		if r.mediaType() == formType {
			values, err := url.ParseQuery(string(r.Body))
			r.form = &formBody{values: values, ok: err == nil}
		}
	}
	return r.form.values, r.form.ok
}

// isJSON reports whether the body is one JSON value. It is checked once.
func (r *Request) isJSON() bool {
	if r.json == nil {
		valid := validJSON(r.Body)
		r.json = &valid
	}
	return *r.json
}

// lookup returns the text at a place. An empty text counts as missing, because
// senders without a secret are known to send empty signatures. A second value
// in the same place is refused: nobody can say which one the sender meant.
func (r *Request) lookup(at place) (string, *Rejection) {
	switch at.kind {
	case inHeader:
		return single(r.Header[at.name], at)
	case inQuery:
		return single(r.queryValues()[at.name], at)
	case inForm:
		values, _ := r.formValues()
		return single(values[at.name], at)
	default:
		text, _ := r.member(at)
		return text, nil
	}
}

// has reports whether there is anything in a place, were it empty, null or there
// twice.
func (r *Request) has(at place) bool {
	switch at.kind {
	case inHeader:
		return len(r.Header[at.name]) > 0
	case inQuery:
		return len(r.queryValues()[at.name]) > 0
	case inForm:
		values, _ := r.formValues()
		return len(values[at.name]) > 0
	}
	document := bytes.TrimLeft(r.document(at.kind), jsonSpace)
	return len(document) > 0 && at.pointer.find(document) != nil
}

// document is the JSON document that a place points into: the claims or the
// body; nil if it is not JSON.
func (r *Request) document(k kind) []byte {
	switch {
	case k == inClaim && validJSON(r.claims):
		return r.claims
	case k == inJSON && r.isJSON():
		return r.Body
	}
	return nil
}

// member returns the text of a JSON member or a claim; empty if there is none.
// ok is false if the document is not JSON, or the member an object or array.
func (r *Request) member(at place) (text string, ok bool) {
	document := r.document(at.kind)
	if document == nil {
		return "", false
	}
	return at.pointer.text(document)
}

// single returns the only value.
func single(values []string, at place) (string, *Rejection) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", reject(DuplicateHeader, "%s occurs %d times: send it once", at, len(values))
}
