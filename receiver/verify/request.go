package verify

import (
	"crypto/sha256"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"sallyport.dev/sallyport/receiver/verify/document"
)

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
	// DecodeLimit bounds what comes of a body with a Content-Encoding, in bytes; 0:
	// DefaultDecodeLimit.
	DecodeLimit int64
	// Reserve is asked before memory is taken for that; nil: there is enough.
	Reserve func(bytes int64) bool

	// claims are those of the token that verified the request, as JSON.
	claims []byte
	trust  trust

	digest  *[sha256.Size]byte // of Body
	query   url.Values
	media   *mediaType
	decoded *decodedBody
	body    bodyCache
}

// trust is how much is known of a request.
type trust struct {
	places *places // of the provider that judges; nil: none does
	// unverified: the signature was not found right yet, so what is read of the body
	// is read without knowing that it is JSON, and a compressed body is closed, unless
	// the scheme signs what it is decompressed to.
	unverified bool
	// decodes: {body} stands for the decompressed body.
	decodes bool
	// closed: the body is compressed, and something in it was asked for before it could
	// be decompressed.
	closed bool
	// missed: a place was found empty only because the body was closed.
	missed bool
	// relied: something was read from the body before it was known to be JSON.
	relied bool
}

// bodyCache is what was read of the body, as far as it may be read.
type bodyCache struct {
	json   *bool
	found  *document.Found
	texts  []*memberText // by the places of the provider
	fields []document.Field
	form   *formBody
	sorted []byte             // the form, sorted; nil: not known
	digest *[sha256.Size]byte // of the decompressed body
}

type memberText struct {
	text string
	ok   bool
}

type mediaType struct{ name, boundary string }

// judgedBy prepares the request for a provider. What was already found at the same
// provider's places stays.
func (r *Request) judgedBy(p *places, unverified bool) {
	if r.trust.places != p {
		r.body = bodyCache{}
	}
	r.setTrust(trust{places: p, unverified: unverified, decodes: r.trust.decodes && !unverified})
}

// tried prepares the request for a scheme that may be the one that judges.
func (r *Request) tried(s *compiledScheme) {
	next := r.trust
	next.decodes = s.encoding == Decoded
	r.setTrust(next)
}

// verified is for a request whose signature was found right. Only now is it checked
// that what was read of its body could be read.
func (r *Request) verified() *Rejection {
	next := r.trust
	next.unverified = false
	r.setTrust(next)
	if r.trust.missed {
		return reject(PreconditionFailed, "the body must not be compressed (Content-Encoding): what must not be in it can't be told")
	}
	if r.trust.relied && !r.isJSON() {
		return reject(MalformedBody, "the body must be JSON: the signature, or what is signed, is in it")
	}
	return nil
}

// setTrust forgets what was read of a compressed body, if there is now more to read.
func (r *Request) setTrust(next trust) {
	if r.compressed() && r.trust.opens() != next.opens() {
		r.body = bodyCache{}
	}
	r.trust = next
}

// opens reports whether a compressed body may be decompressed.
func (t trust) opens() bool { return !t.unverified || t.decodes }

// BodySHA256 is the digest of the body as it came. It is computed once.
func (r *Request) BodySHA256() [sha256.Size]byte {
	if r.digest == nil {
		digest := sha256.Sum256(r.Body)
		r.digest = &digest
	}
	return *r.digest
}

// HasBodySHA256 reports whether that digest is computed already.
func (r *Request) HasBodySHA256() bool { return r.digest != nil }

// content are the bytes that {body} stands for.
func (r *Request) content() []byte {
	if !r.trust.decodes || !r.compressed() {
		return r.Body
	}
	decoded, _ := r.Document() // verify refuses what can't be decoded
	return decoded
}

// contentSHA256 is the digest of content.
func (r *Request) contentSHA256() [sha256.Size]byte {
	if !r.trust.decodes || !r.compressed() {
		return r.BodySHA256()
	}
	if r.body.digest == nil {
		digest := sha256.Sum256(r.content())
		r.body.digest = &digest
	}
	return *r.body.digest
}

// readable is the body as it is meant, as far as it may be read now.
func (r *Request) readable() (data []byte, ok bool) {
	if r.compressed() && !r.trust.opens() {
		r.trust.closed = true
		return nil, false
	}
	return r.Document()
}

// mediaOf is the type of the body in lower case, and the boundary among its
// parameters; empty if there is none or it is malformed. Parameters that are malformed
// don't hide the type.
func (r *Request) mediaOf() mediaType {
	if r.media != nil {
		return *r.media
	}
	r.media = &mediaType{}
	if values := r.Header["Content-Type"]; len(values) == 1 {
		if name, parameters, err := mime.ParseMediaType(values[0]); err == nil || errors.Is(err, mime.ErrInvalidMediaParameter) {
			*r.media = mediaType{name, parameters["boundary"]}
		}
	}
	return *r.media
}

// mediaType is the type of the body in lower case, without parameters; empty
// if there is none or it is malformed.
func (r *Request) mediaType() string { return r.mediaOf().name }

// queryValues are the parameters of the URL. Malformed ones count as missing.
func (r *Request) queryValues() url.Values {
	if r.query == nil {
		r.query, _ = url.ParseQuery(r.RawQuery)
	}
	return r.query
}

// json is the body without what may stand before JSON; empty if it can't be read.
func (r *Request) json() []byte {
	body, _ := r.readable()
	return document.Trim(body)
}

// isJSON reports whether the body is one JSON value. It is checked once.
func (r *Request) isJSON() bool {
	if r.body.json == nil {
		valid := document.Valid(r.json())
		r.body.json = &valid
	}
	return *r.body.json
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
		field := r.field(at.name)
		if field.Count > 1 {
			return "", duplicate(at, field.Count)
		}
		return field.Value, nil
	default:
		text, _ := r.member(at)
		return text, nil
	}
}

// has reports whether there is anything in a place, even if it is empty, null or there
// twice.
func (r *Request) has(at place) bool {
	inBody := at.kind == inForm || at.kind == inJSON
	r.trust.missed = r.trust.missed || inBody && r.compressed() && !r.trust.opens()
	switch at.kind {
	case inHeader:
		return len(r.Header[at.name]) > 0
	case inQuery:
		return len(r.queryValues()[at.name]) > 0
	case inForm:
		return r.field(at.name).Count > 0
	case inClaim:
		return at.pointer.Find(r.document(inClaim)) != nil
	}
	return r.mayBeJSON() && r.value(at) != nil
}

// document is the JSON document that a place points into: the claims or the
// body; nil if it is not JSON.
func (r *Request) document(k kind) []byte {
	switch {
	case k == inClaim && document.Valid(r.claims):
		return r.claims
	case k == inJSON && r.isJSON():
		return r.json()
	}
	return nil
}

// member returns the text of a JSON member or a claim; empty if there is none.
// ok is false if the document is not JSON, or the member an object or array.
// Before the request is verified, it is not known whether the document is JSON.
func (r *Request) member(at place) (text string, ok bool) {
	if at.kind == inClaim {
		claims := r.document(inClaim)
		if claims == nil {
			return "", false
		}
		return at.pointer.Text(claims)
	}
	if !r.mayBeJSON() {
		return "", false
	}
	i, known := r.trust.places.member(at)
	if !known {
		return document.Text(r.value(at))
	}
	if r.body.texts == nil {
		r.body.texts = make([]*memberText, len(r.trust.places.members))
	}
	value := r.value(at)
	if r.body.texts[i] == nil {
		text, ok := document.Text(value)
		r.body.texts[i] = &memberText{text, ok}
	}
	return r.body.texts[i].text, r.body.texts[i].ok
}

// mayBeJSON reports whether the body is JSON; before the request is verified,
// whether it begins like an object or an array.
func (r *Request) mayBeJSON() bool {
	if r.trust.unverified {
		text := r.json()
		return len(text) > 0 && (text[0] == '{' || text[0] == '[')
	}
	return r.isJSON()
}

// value is the value at a place in the body, as it is written; nil: there is none.
// All places of the provider are looked up in one pass.
func (r *Request) value(at place) (value []byte) {
	if i, known := r.trust.places.member(at); known {
		value = r.find().Value(i)
	} else {
		found := document.Compile([][]string{at.pointer}, nil).Find(r.json())
		value = found.Value(0)
	}
	r.trust.relied = r.trust.relied || value != nil
	return value
}

// find looks all places of the provider up.
func (r *Request) find() *document.Found {
	if r.body.found == nil {
		found := r.trust.places.paths.Find(r.json())
		r.body.found = &found
	}
	return r.body.found
}

// copies returns the value of a parameter of the URL that is there several times, with
// the same value each time.
func (r *Request) copies(at place) (value string, same bool) {
	values := r.queryValues()[at.name]
	if at.kind != inQuery || len(values) == 0 {
		return "", false
	}
	return values[0], !slices.ContainsFunc(values, func(other string) bool { return other != values[0] })
}

// single returns the only value.
func single(values []string, at place) (string, *Rejection) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", duplicate(at, len(values))
}

func duplicate(at place, count int) *Rejection {
	return reject(DuplicateHeader, "%s occurs %d times: send it once", at, count)
}
