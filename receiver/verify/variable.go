package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/document"
)

// variable is a name in braces: "{body}", "{header:X-Id}".
type variable struct {
	name string
	use  use
	// at is set for the variables that name a place.
	at place
	// steps decode what is at that place, for identities and answers.
	steps []decoder
	// array is what leads to the elements that the variable stands for, up to the last
	// "*"; empty if it stands for one value.
	array string
	// mac is how the HMAC of the value is written, for answers; empty: there is
	// none, and the value itself is meant.
	mac Encoding
	// members are the names of {members:…}.
	members []string
	// parameter is the name of {param:x}.
	parameter string
}

// The variables without an argument.
const (
	varBody          = "body"           // the body's bytes
	varTimestamp     = "timestamp"      // Scheme.Timestamp, as it was written
	varID            = "id"             // Scheme.ID
	varMethod        = "method"         // the HTTP method
	varURL           = "url"            // the public URL, in each spelling of Scheme.URLForms
	varRequestURI    = "request_uri"    // path and query of the public URL, spelled likewise
	varSecret        = "secret"         // the key, for the algorithm SHA256
	varCRC32         = "crc32"          // CRC-32 (IEEE) of the body, decimal
	varFormSorted    = "form_sorted"    // the form as document.AppendSorted writes it
	varBodySHA256    = "body_sha256"    // SHA-256 of the body, lower case hex
	varSignedSHA256  = "signed_sha256"  // SHA-256 of what was signed, lower case hex
	varSignedHeaders = "signed_headers" // the headers that Scheme.SignedHeaders leads to
	varKeyID         = "key_id"         // the id of the newest secret
)

// The variables with an argument that is not a place.
const (
	varMembers = "members" // JSON members of the body, see appendMembers
	varParam   = "param"   // the first value of a parameter
)

// The variables with an argument, by the kind of place that they read.
var placed = map[string]kind{"header": inHeader, "query": inQuery, "form": inForm, "json": inJSON, "claim": inClaim}

// use says what a template is for.
type use int

const (
	forContent use = iota
	forID
	forType
	forAnswer
)

// allowed are the variables, by use; those with an argument end in ":x". Identities leave out what has no place in
// an id: the body, and what a sender does not choose. A token has no content, so
// there are no claims in one; answers don't repeat what a token says.
var allowed = map[use][]string{
	forContent: {
		varBody, varTimestamp, varID, varMethod, varURL, varRequestURI, varSecret, varCRC32, varFormSorted, varBodySHA256, varSignedHeaders,
		"header:x", "query:x", "form:x", "json:x", "members:x", "param:x",
	},
	forID:     {varTimestamp, varID, varBodySHA256, varSignedSHA256, "header:x", "query:x", "form:x", "json:x", "claim:x"},
	forType:   {varTimestamp, varID, varBodySHA256, "header:x", "query:x", "form:x", "json:x", "claim:x"},
	forAnswer: {varKeyID, "header:x", "query:x", "form:x", "json:x", "param:x"},
}

// parseVariable reads what stands between braces.
func parseVariable(text string, u use) (variable, error) {
	name, argument, hasArgument := strings.Cut(text, ":")
	bare, named := slices.Contains(allowed[u], name), slices.Contains(allowed[u], name+":x")
	switch {
	case named && argument == "":
		return variable{}, fmt.Errorf("{%s} needs a name, as in {%s:x}", text, name)
	case hasArgument != named, !bare && !named:
		return variable{}, fmt.Errorf("{%s} is not a variable here: there are {%s}", text, strings.Join(allowed[u], "}, {"))
	}
	v := variable{name: name, use: u}
	var err error
	switch {
	case name == varMembers:
		v.members, err = parseMembers(argument)
	case name == varParam:
		v.parameter = argument
	case hasArgument:
		err = v.parsePlace(argument)
	}
	return v, err
}

// errOneValue is for "*" where a single text is needed.
var errOneValue = errors.New("'*' stands for many values, and has a meaning in identity only")

// parsePlace reads the name of a place and the steps behind it.
func (v *variable) parsePlace(argument string) error {
	name, rest, hasSteps := strings.Cut(argument, "|")
	var err error
	if v.at, err = compilePlace(placed[v.name], name); err != nil {
		return err
	}
	if v.use == forContent && hasSteps {
		return fmt.Errorf("{%s:%s}: what is signed is taken as it stands there, without steps", v.name, argument)
	}
	if hasSteps {
		steps := strings.Split(rest, "|")
		if v.use == forAnswer {
			steps = v.parseMAC(steps)
		}
		if v.steps, err = parseDecoders(steps); err != nil {
			return err
		}
	}
	if (v.use == forContent || v.use == forAnswer) && v.wild() {
		return errOneValue
	}
	if v.wild() {
		v.array = v.name + ":" + upToLastElement(argument)
	}
	return nil
}

// upToLastElement is the argument of a variable up to its last "*".
func upToLastElement(argument string) string {
	end := 0
	for i := range argument {
		rest, isElement := strings.CutPrefix(argument[i:], "/"+document.AnyElement)
		if isElement && (rest == "" || rest[0] == '/' || rest[0] == '|') {
			end = i + len("/"+document.AnyElement)
		}
	}
	return argument[:end]
}

// parseMAC takes a last step that signs off steps.
func (v *variable) parseMAC(steps []string) []string {
	last := len(steps) - 1
	switch steps[last] {
	case "hmac_hex":
		v.mac = Hex
	case "hmac_base64":
		v.mac = Base64
	default:
		return steps
	}
	return steps[:last]
}

// wild reports whether there may be more than one value.
func (v *variable) wild() bool {
	return v.at.pointer.Wild() || slices.ContainsFunc(v.steps, decoder.wild)
}

// scope is what variables get their values from.
type scope struct {
	request       *Request
	timestamp     string
	id            string
	signed        [sha256.Size]byte // digest of what was signed
	url           string
	secret        []byte
	signedHeaders string
	parameters    Parameters
	// answering is the scheme that answers are signed by, with the newest of secrets.
	answering *compiledScheme
	secrets   []secret.Value
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
		return strconv.AppendUint(text, uint64(crc32.ChecksumIEEE(s.request.content())), 10), nil
	case varBodySHA256:
		digest := s.request.contentSHA256()
		return hex.AppendEncode(text, digest[:]), nil
	case varSignedHeaders:
		return append(text, s.signedHeaders...), nil
	default:
		return v.appendFound(text, s)
	}
}

// appendFound is appendSigned for what may not be there.
func (v variable) appendFound(text []byte, s *scope) ([]byte, *Rejection) {
	switch v.name {
	case varURL, varRequestURI:
		return v.appendURL(text, s)
	case varFormSorted:
		form, rejection := s.request.sortedForm()
		return append(text, form...), rejection
	case varMembers:
		return appendMembers(text, v.members, s.request)
	case varParam:
		value, rejection := s.parameters.first(v.parameter)
		return append(text, value...), rejection
	default:
		return v.appendPlaced(text, s.request)
	}
}

// first is the first value of a parameter. That it has one is for the endpoint
// to see to.
func (p Parameters) first(name string) ([]byte, *Rejection) {
	if len(p[name]) == 0 {
		return nil, reject(NoUsableKey, "the receiver has no value for the parameter %s", name)
	}
	return p[name][0].Reveal(), nil
}

func (v variable) appendURL(text []byte, s *scope) ([]byte, *Rejection) {
	if s.url == "" {
		return nil, reject(NoPublicURL, "the sender signs the URL, and the receiver was not told its public URL")
	}
	if v.name == varRequestURI {
		return append(text, requestURI(s.url)...), nil
	}
	return append(text, s.url...), nil
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
	r.trust.relied = true // that it is missing counts, too
	value, ok := r.member(v.at)
	if !ok {
		return nil, reject(MalformedBody, "the body must be JSON, and its member %s a text or a number", v.at.name)
	}
	return append(text, value...), nil
}

// text is the value of a variable of an identity or an answer; empty: there is
// none.
func (v variable) text(s *scope) (string, *Rejection) {
	if v.use == forAnswer {
		return v.answers(s)
	}
	return v.identifies(s)
}

// identifies is the value of a variable of an identity.
func (v variable) identifies(s *scope) (string, *Rejection) {
	switch v.name {
	case varTimestamp:
		return s.timestamp, nil
	case varID:
		return s.id, nil
	case varBodySHA256:
		digest := s.request.contentSHA256()
		return hex.EncodeToString(digest[:]), nil
	case varSignedSHA256:
		return hex.EncodeToString(s.signed[:]), nil
	}
	texts, whole, rejection := s.request.all(v.at)
	if rejection != nil {
		return "", rejection
	}
	texts, whole = decodeAll(texts, whole, v.steps)
	if v.use == forType && len(texts) > 0 {
		return texts[0], nil
	}
	if !whole {
		return "", nil // an id of a part of the events would hide the others
	}
	return batch(texts), nil
}
