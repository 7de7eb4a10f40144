package verify

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// variable is a name in braces: "{body}", "{header:X-Id}".
type variable struct {
	name string
	// at is set for the variables that name a place.
	at place
}

// The variables without an argument.
const (
	varBody       = "body"        // the body's bytes
	varTimestamp  = "timestamp"   // Scheme.Timestamp, as it was written
	varID         = "id"          // Scheme.ID
	varMethod     = "method"      // the HTTP method
	varURL        = "url"         // the public URL, in each spelling of Scheme.URLForms
	varSecret     = "secret"      // the key, for the algorithm SHA256
	varCRC32      = "crc32"       // CRC-32 (IEEE) of the body, decimal
	varFormSorted = "form_sorted" // the form as formSorted writes it
	varBodySHA256 = "body_sha256" // SHA-256 of the body, lower case hex
)

// The variables with an argument, by the kind of place that they read.
var placed = map[string]kind{"header": inHeader, "query": inQuery, "form": inForm, "json": inJSON}

// use says what a template is for.
type use int

const (
	forContent use = iota
	forIdentity
)

// allowed are the variables without an argument, by use. Identities leave out
// what has no place in an id: the body, and what a sender does not choose.
var allowed = map[use]string{
	forContent:  " body timestamp id method url secret crc32 form_sorted body_sha256 ",
	forIdentity: " timestamp id body_sha256 ",
}

// parseVariable reads what stands between braces.
func parseVariable(text string, u use) (variable, error) {
	name, argument, hasArgument := strings.Cut(text, ":")
	if k, ok := placed[name]; ok {
		at, err := compilePlace(k, argument)
		return variable{name: name, at: at}, err
	}
	if !hasArgument && strings.Contains(allowed[u], " "+name+" ") {
		return variable{name: name}, nil
	}
	return variable{}, fmt.Errorf("{%s} is not a variable here: there are {%s}, {header:X}, {query:x}, {form:x} and {json:/x}",
		text, strings.Join(strings.Fields(allowed[u]), "}, {"))
}

// scope is what variables get their values from.
type scope struct {
	request   *Request
	timestamp string
	id        string
	url       string
	secret    []byte
}

// appendSigned appends the value of a variable of a content. What is signed
// must be there; only a JSON member may be missing, and is then empty, as Adyen
// does it.
func (v variable) appendSigned(text []byte, s *scope) ([]byte, *Rejection) {
	switch v.name {
	case varTimestamp:
		return append(text, s.timestamp...), nil
	case varID:
		return append(text, s.id...), nil
	case varMethod:
		return append(text, s.request.Method...), nil
	case varSecret:
		return append(text, s.secret...), nil
	case varCRC32:
		return strconv.AppendUint(text, uint64(crc32.ChecksumIEEE(s.request.Body)), 10), nil
	case varBodySHA256:
		digest := s.request.BodySHA256()
		return hex.AppendEncode(text, digest[:]), nil
	case varURL:
		return appendURL(text, s)
	case varFormSorted:
		return appendForm(text, s.request)
	default:
		return v.appendPlaced(text, s.request)
	}
}

func appendURL(text []byte, s *scope) ([]byte, *Rejection) {
	if s.url == "" {
		return nil, reject(NoPublicURL, "the sender signs the URL, and the receiver was not told its public URL")
	}
	return append(text, s.url...), nil
}

func appendForm(text []byte, r *Request) ([]byte, *Rejection) {
	if len(r.Body) == 0 {
		return text, nil
	}
	form, ok := r.formValues()
	if !ok {
		return nil, reject(MalformedBody, "the body must be a form of type %s", formType)
	}
	return append(text, formSorted(form)...), nil
}

func (v variable) appendPlaced(text []byte, r *Request) ([]byte, *Rejection) {
	if v.at.kind == inJSON {
		return v.appendMember(text, r)
	}
	value, rejection := r.lookup(v.at)
	switch {
	case rejection != nil:
		return nil, rejection
	case value != "":
		return append(text, value...), nil
	case v.at.kind == inForm:
		return nil, reject(MalformedBody, "the body must be a form of type %s with a field %s", formType, v.at.name)
	}
	return nil, reject(PreconditionFailed, "%s is missing: it is part of what is signed", v.at)
}

// appendMember appends a JSON member. An object in the place of a text is
// refused: to take it for a missing one would leave it unsigned.
func (v variable) appendMember(text []byte, r *Request) ([]byte, *Rejection) {
	value, ok := r.member(v.at)
	if !ok {
		return nil, reject(MalformedBody, "the body must be JSON, and its member %s a text or a number", v.at.name)
	}
	return append(text, value...), nil
}

// text is the value of a variable of an identity; empty: there is none.
func (v variable) text(s *scope) (string, *Rejection) {
	switch v.name {
	case varTimestamp:
		return s.timestamp, nil
	case varID:
		return s.id, nil
	case varBodySHA256:
		digest := s.request.BodySHA256()
		return hex.EncodeToString(digest[:]), nil
	default:
		return s.request.lookup(v.at)
	}
}
