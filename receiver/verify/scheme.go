package verify

// Scheme is one way to sign a request. It is the whole vocabulary: what can't
// be said here can't be verified.
type Scheme struct {
	// Name is unique among the schemes of the provider, for example "v1".
	Name string `json:"name"`
	// Methods are those by which the sender delivers; empty: POST.
	Methods []string `json:"methods,omitempty"`
	// BodyFormat is what the body must be; empty: Any.
	BodyFormat BodyFormat `json:"bodyFormat,omitempty"`
	// ContentEncoding says which bytes {body} stands for where the request has a
	// Content-Encoding; empty: AsSent.
	ContentEncoding ContentEncoding `json:"contentEncoding,omitempty"`
	// MediaType restricts the scheme to bodies of this type, for example
	// "application/x-www-form-urlencoded"; empty: any.
	MediaType string `json:"mediaType,omitempty"`
	// When restricts the scheme to requests that satisfy all conditions.
	When []Condition `json:"when,omitempty"`
	// Algorithm is how the signature is made.
	Algorithm Algorithm `json:"algorithm"`
	// Key are the steps from the configured secret to the key; see parseKeySteps.
	// Empty: the secret's bytes are the key.
	Key []string `json:"key,omitempty"`
	// KeyID is where the sender names the key it used. The configured secret is
	// then "<key id>:<secret>", and only keys of that id are tried.
	KeyID *Location `json:"keyID,omitempty"`
	// KeySource is where the keys come from; nil: from the endpoint's secret.
	KeySource *KeySource `json:"keySource,omitempty"`
	// JWT is what the token must be, for the algorithm JWT.
	JWT *JWT `json:"jwt,omitempty"`
	// Signature is where the signature is and how it is written.
	Signature Signature `json:"signature"`
	// Content is the template of what is signed. Algorithms that compare a
	// credential (Token, Basic) have none.
	Content string `json:"content,omitempty"`
	// AlternativeContent are other templates that the sender is known to sign.
	AlternativeContent []string `json:"alternativeContent,omitempty"`
	// URLForms are the spellings of the URL to try in {url}; empty: as given.
	URLForms []URLForm `json:"urlForms,omitempty"`
	// ID is where the variable {id} comes from.
	ID *Location `json:"id,omitempty"`
	// Timestamp is where the variable {timestamp} comes from, and how old it may be.
	Timestamp *Timestamp `json:"timestamp,omitempty"`
	// SignedHeaders is where the variable {signed_headers} comes from.
	SignedHeaders *SignedHeaders `json:"signedHeaders,omitempty"`
	// BodyDigest ties the body to signed content that doesn't contain it.
	BodyDigest *BodyDigest `json:"bodyDigest,omitempty"`
	// Require are conditions that a request must satisfy, or it is refused.
	Require []Condition `json:"require,omitempty"`
	// BodyUnsigned admits that the content leaves the body unauthenticated. It is
	// an error to leave the body out without saying so, and to say so wrongly.
	BodyUnsigned bool `json:"bodyUnsigned,omitempty"`
}

// Algorithm is how a signature is made.
type Algorithm string

// The algorithms.
const (
	HMACSHA1        Algorithm = "HMAC-SHA1"
	HMACSHA256      Algorithm = "HMAC-SHA256"
	HMACSHA512      Algorithm = "HMAC-SHA512"
	SHA256          Algorithm = "SHA256" // a plain hash; the content contains {secret}
	Ed25519         Algorithm = "Ed25519"
	ECDSAP256SHA256 Algorithm = "ECDSA-P256-SHA256" // ASN.1 DER signature
	RSASHA1         Algorithm = "RSA-SHA1"          // PKCS #1 v1.5
	RSASHA256       Algorithm = "RSA-SHA256"        // PKCS #1 v1.5
	Token           Algorithm = "Token"             // the secret itself
	Basic           Algorithm = "Basic"             // RFC 7617; the secret is "user:password"
	JSONWebToken    Algorithm = "JWT"               // RFC 7519, signed (RFC 7515, compact); see JWT
)

// BodyFormat is what a body is.
type BodyFormat string

// The formats.
const (
	AnyBody    BodyFormat = "Any"
	JSONBody   BodyFormat = "JSON" // an object or an array
	JSONObject BodyFormat = "JSONObject"
	JSONArray  BodyFormat = "JSONArray"
	FormBody   BodyFormat = "Form" // application/x-www-form-urlencoded or multipart/form-data
)

// ContentEncoding says which bytes of an encoded body (RFC 9110 §8.4) are signed.
type ContentEncoding string

// The bytes that can be signed.
const (
	AsSent  ContentEncoding = "AsSent"
	Decoded ContentEncoding = "Decoded" // gzip, deflate
)

// Location is one place of a request. Exactly one field is set.
type Location struct {
	// Header is a header's name.
	Header string `json:"header,omitempty"`
	// Query is a parameter of the URL.
	Query string `json:"query,omitempty"`
	// Form is a field of an application/x-www-form-urlencoded body.
	Form string `json:"form,omitempty"`
	// JSON is a JSON pointer (RFC 6901) into the body.
	JSON string `json:"json,omitempty"`
	// Claim is a JSON pointer into the claims of the token, for the algorithm JWT.
	Claim string `json:"claim,omitempty"`
}

// Signature is where the signature is and how it is written. At most one of
// Prefix, List, KeyValue and Pairs is set; none: the value is the signature.
type Signature struct {
	// From are the places. All that are present count, each is a candidate.
	From []Location `json:"from"`
	// Repeated: a header may occur several times, one candidate each.
	Repeated bool `json:"repeated,omitempty"`
	// Prefix stands before the signature, for example "sha256=".
	Prefix string `json:"prefix,omitempty"`
	// PrefixOptional: the prefix may be missing.
	PrefixOptional bool `json:"prefixOptional,omitempty"`
	// List is several signatures in one value.
	List *List `json:"list,omitempty"`
	// KeyValue is named items in one value.
	KeyValue *KeyValue `json:"keyValue,omitempty"`
	// Pairs is several signatures in one value, each with the id of its key.
	Pairs *Pairs `json:"pairs,omitempty"`
	// Encoding is how the signature's bytes are written.
	Encoding Encoding `json:"encoding"`
}

// List is several signatures in one value: "v1,aaa v1,bbb".
type List struct {
	// Separator stands between the items.
	Separator string `json:"separator"`
	// Prefix marks the items of this scheme, for example "v1,"; other items are
	// skipped.
	Prefix string `json:"prefix,omitempty"`
	// PrefixOptional: the prefix may be missing, and no item is skipped.
	PrefixOptional bool `json:"prefixOptional,omitempty"`
	// TrimSpace drops spaces around items.
	TrimSpace bool `json:"trimSpace,omitempty"`
}

// KeyValue is named items in one value: "t=1,v1=aaa,v1=bbb".
type KeyValue struct {
	// Separator stands between the items.
	Separator string `json:"separator"`
	// Equals stands between name and value.
	Equals string `json:"equals"`
	// SignatureKey names the items that are signatures of this scheme; items of
	// other names are skipped.
	SignatureKey string `json:"signatureKey"`
	// TimestampKey names the item that is the timestamp; empty: there is none.
	TimestampKey string `json:"timestampKey,omitempty"`
	// TrimSpace drops spaces around items.
	TrimSpace bool `json:"trimSpace,omitempty"`
}

// Pairs is several signatures in one value, each with the id of its key:
// "id1|aaa&id2|bbb". The configured secret is "<key id>:<secret>".
type Pairs struct {
	// Separator stands between the pairs.
	Separator string `json:"separator"`
	// Equals stands between key id and signature.
	Equals string `json:"equals"`
}

// Encoding is how bytes are written as text.
type Encoding string

// The encodings.
const (
	Hex       Encoding = "Hex"       // either case
	Base64    Encoding = "Base64"    // RFC 4648 §4, padded, canonical
	Base64URL Encoding = "Base64URL" // RFC 4648 §5, with or without padding
	Text      Encoding = "Text"      // the characters themselves
)

// URLForm is a spelling of the URL.
type URLForm string

// The spellings. Twilio signs with or without the port, whatever it connects to.
const (
	URLAsGiven     URLForm = "AsGiven"
	URLDefaultPort URLForm = "DefaultPort" // ":443" or ":80" is written out if there is no port
	URLNoPort      URLForm = "NoPort"
	// URLReservedDecoded is for HubSpot, which decodes %3A %2F %3F %40 %21 %24 %27
	// %28 %29 %2A %2C %3B before it signs.
	URLReservedDecoded URLForm = "ReservedDecoded"
	// URLApostropheEscaped is for back ends behind Twilio that signed a URL in which "'" is
	// "%27" (https://github.com/twilio/twilio-node, validateRequest).
	URLApostropheEscaped URLForm = "ApostropheEscaped"
)

// Timestamp is when the sender says it signed. The signature must cover it.
type Timestamp struct {
	// From is where it is; nil: Signature.KeyValue.TimestampKey.
	From *Location `json:"from,omitempty"`
	// Unit is how it is written; empty: it is signed as text and not understood.
	Unit Unit `json:"unit,omitempty"`
	// ToleranceSeconds is how far it may be from now, into past and future; 0: it
	// is not judged.
	ToleranceSeconds int64 `json:"toleranceSeconds,omitempty"`
}

// Unit is how a timestamp is written.
type Unit string

// The units.
const (
	Seconds      Unit = "Seconds"      // since 1970, decimal
	Milliseconds Unit = "Milliseconds" // since 1970, decimal
	RFC3339      Unit = "RFC3339"
)

// BodyDigest is a SHA-256 of the body in a place that is signed.
type BodyDigest struct {
	// From is where it is.
	From Location `json:"from"`
	// Encoding is how it is written.
	Encoding Encoding `json:"encoding"`
	// Optional: it may be missing; if it is there, it must be right.
	Optional bool `json:"optional,omitempty"`
	// AbsentWhenEmpty: it may be missing if, and only if, the body is empty.
	AbsentWhenEmpty bool `json:"absentWhenEmpty,omitempty"`
}

// credential reports whether the request carries the secret itself.
func (a Algorithm) credential() bool { return a == Token || a == Basic }

// contents are all templates of what may have been signed.
func (s *Scheme) contents() []string {
	if s.Content == "" {
		return nil
	}
	return append([]string{s.Content}, s.AlternativeContent...)
}
