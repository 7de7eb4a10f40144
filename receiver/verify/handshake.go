package verify

import "net/http"

// Handshake is a request by which a sender makes sure that somebody listens,
// and how to answer it. It is no event.
type Handshake struct {
	// Name tells the handshakes of a provider apart, for example "url_verification".
	Name string `json:"name"`
	// Method is GET, HEAD, POST or OPTIONS.
	Method string `json:"method"`
	// Match says which requests of that method are meant: all conditions hold.
	Match []Condition `json:"match,omitempty"`
	// Unsigned: the sender doesn't sign it. Otherwise it is verified like an event.
	Unsigned bool `json:"unsigned,omitempty"`
	// Guard must hold, too, or the handshake is refused.
	Guard []Condition `json:"guard,omitempty"`
	// Answer is what the sender wants to see.
	Answer HandshakeAnswer `json:"answer"`
	// Confirm is a URL in the request that is to be requested by GET before the
	// answer is given; nil: none.
	Confirm *Confirmation `json:"confirm,omitempty"`
}

// HandshakeAnswer is the answer to a handshake. At most one of Body and JSON is
// set. Templates may use what stands in the request, and digests of it:
// "{query:hub.challenge}", "{json:/payload/plainToken|hmac_hex}".
type HandshakeAnswer struct {
	// Status is from 200 to 299.
	Status int `json:"status"`
	// ContentType of Body; for JSON it is application/json.
	ContentType string `json:"contentType,omitempty"`
	// Headers are templates.
	Headers []Field `json:"headers,omitempty"`
	// Body is a template.
	Body string `json:"body,omitempty"`
	// JSON are the members of an object; their values are texts, made by templates.
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
}

// Answer is what to answer to a handshake.
type Answer struct {
	// Handshake is its name.
	Handshake string
	// Status, Header and Body are the answer.
	Status int
	Header http.Header
	Body   []byte
	// Confirm is a URL (https, of an allowed host) that must be requested by GET,
	// with success, before the answer is given; empty: none.
	Confirm string
}
