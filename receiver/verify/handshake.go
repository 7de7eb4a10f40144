package verify

import "net/http"

// Handshake is a request by which a sender makes sure that somebody listens,
// and how to answer it. It is not an event.
type Handshake struct {
	// Name is unique among the handshakes of the provider, for example "url_verification".
	Name string `json:"name"`
	// Kind is what it is for; empty: Challenge.
	Kind HandshakeKind `json:"kind,omitempty"`
	// Method is GET, HEAD, POST or OPTIONS.
	Method string `json:"method"`
	// Match says which requests of that method are meant: all conditions hold. POST
	// needs some, or every event would be taken for the handshake.
	Match []Condition `json:"match,omitempty"`
	// Unsigned: the sender doesn't sign it. Otherwise it is verified like an event.
	Unsigned bool `json:"unsigned,omitempty"`
	// Guard must hold, too, or the handshake is refused: as HandshakeRefused for a
	// value that is not the one demanded (Equals, Parameter), as MalformedHandshake
	// for one that is missing or not written as demanded (Pattern).
	Guard []Condition `json:"guard,omitempty"`
	// Answer is what the sender wants to see.
	Answer HandshakeAnswer `json:"answer"`
	// Confirm is a URL in the request that is to be requested by GET before the
	// answer is given; nil: none. Only a signed handshake may have it.
	Confirm *Confirmation `json:"confirm,omitempty"`
}

// HandshakeKind is what a handshake is for.
type HandshakeKind string

// The kinds.
const (
	// Challenge asks for a certain answer.
	Challenge HandshakeKind = "Challenge"
	// Probe is a GET or HEAD that only asks whether the URL exists, and has no signature.
	Probe HandshakeKind = "Probe"
)

// HandshakeAnswer is the answer to a handshake. At most one of Body and JSON is
// set. Templates may use what stands in the request, and HMACs of it by the key
// of the newest secret and the algorithm of the first scheme with an HMAC:
// "{query:hub.challenge}", "{json:/payload/plainToken|hmac_hex}". What is echoed
// has at most 4096 bytes, what is signed 256, both without control characters. In
// an unsigned handshake, what is signed must be bounded by a Pattern of Guard.
type HandshakeAnswer struct {
	// Status is from 200 to 299.
	Status int `json:"status"`
	// ContentType of Body: text/plain, the default, or application/json for a Body
	// without variables; for JSON it is application/json.
	ContentType string `json:"contentType,omitempty"`
	// Headers are templates. One whose variables are missing in the request is left
	// out; in Body and JSON, what is missing makes the handshake malformed.
	Headers []Field `json:"headers,omitempty"`
	// Body is a template.
	Body string `json:"body,omitempty"`
	// JSON are the members of an object, in this order; their values are texts, made
	// by templates, but for a template that is an integer: that is a number.
	JSON []Field `json:"json,omitempty"`
}

// Field is a name and the template of a value.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Confirmation is a URL in a request.
type Confirmation struct {
	// From is where the URL is.
	From Location `json:"from"`
	// HostPattern is a regular expression (RE2) that the URL's whole host must match.
	HostPattern string `json:"hostPattern"`
	// PathPattern is a regular expression (RE2) that the URL's whole path must match.
	PathPattern string `json:"pathPattern"`
	// QueryPattern is a regular expression (RE2) that the URL's whole query must match;
	// empty: it must have none.
	QueryPattern string `json:"queryPattern,omitempty"`
}

// Answer is what to answer to a handshake.
type Answer struct {
	// Handshake is its name.
	Handshake string
	// Status, Header and Body are the answer.
	Status int
	Header http.Header
	Body   []byte
	// Confirm is a URL (https, as the Confirmation allows) that must be requested by GET,
	// with success, before the answer is given; empty: none.
	Confirm string
}
