package v1alpha1

import (
	"encoding/base64"
	"errors"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WebhookProvider is a sender of webhooks as data: how it proves who it is, how
// its events are told apart, and examples that prove the description right.
// Built-in presets have the same form; a WebhookProvider with the name of a
// preset takes its place.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=whp,categories=sallyport
// +kubebuilder:printcolumn:name="Display Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Verified",type=string,JSONPath=`.status.conditions[?(@.type=="Verified")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Verified")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Verified")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="metadata.name must consist of lower case letters, digits and '-', and have at most 63 characters"
type WebhookProvider struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the sender.
	// +required
	Spec WebhookProviderSpec `json:"spec"`
	// status is what came of the examples. Until the manager has run them, its
	// observedGeneration is -1, so that kstatus does not take the provider for ready.
	// +optional
	// +default={"observedGeneration":-1}
	Status WebhookProviderStatus `json:"status,omitzero"`
}

// WebhookProviderSpec describes a sender.
type WebhookProviderSpec struct {
	// displayName is the sender's name as people write it, for example GitHub.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	DisplayName string `json:"displayName,omitempty"`

	// verify lists the ways in which the sender signs. The first one whose
	// signature is present judges a request; no later one is tried.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Verify []SignatureScheme `json:"verify"`

	// identity says which event a request is.
	// +required
	Identity EventIdentity `json:"identity"`

	// parameters are what the sender needs to know of an endpoint beside the secret,
	// for example the topics that may send to it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Parameters []ProviderParameter `json:"parameters,omitempty"`

	// handshakes lists requests by which the sender makes sure that somebody
	// listens. They are answered and are no events.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Handshakes []Handshake `json:"handshakes,omitempty"`

	// jsonFormFields names the fields of a form that hold JSON, for example payload.
	// Routes see the parsed document in event.body.<field>.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	JSONFormFields []string `json:"jsonFormFields,omitempty"`

	// responses are the answers that the sender wants to see.
	// +optional
	Responses *ProviderResponses `json:"responses,omitempty"`

	// deduplication says how the sender repeats events.
	// +optional
	Deduplication *ProviderDeduplication `json:"deduplication,omitempty"`

	// maxBodyBytes is the size of the largest body that the sender sends, up to
	// 64Mi. It is the default of the endpoints' limits.maxBodyBytes; without it
	// that is 1Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isInteger() && quantity(string(self)).isGreaterThan(quantity('0')) && !quantity(string(self)).isGreaterThan(quantity('64Mi'))",message="maxBodyBytes must be a whole number of bytes from 1 to 64Mi, for example 5Mi"
	MaxBodyBytes *resource.Quantity `json:"maxBodyBytes,omitempty"`

	// facts are for people: what is known of the sender's delivery. They change
	// nothing.
	// +optional
	Facts *ProviderFacts `json:"facts,omitempty"`

	// tests are example requests and what must come of them. They are run at each
	// change; a provider that fails one of them doesn't serve.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Tests []ProviderTest `json:"tests"`
}

// SignatureAlgorithm is how a signature is made.
//
//   - HMAC-SHA1, HMAC-SHA256, HMAC-SHA512: RFC 2104.
//   - SHA256: a plain hash of content that contains the secret.
//   - Ed25519: RFC 8032; the secret is the public key.
//   - ECDSA-P256-SHA256: ASN.1 signature; the secret is the public key.
//   - RSA-SHA1, RSA-SHA256: PKCS #1 v1.5; the secret is the public key.
//   - Token: the sender sends the secret itself.
//   - Basic: the sender sends user and password; the secret is "user:password".
//   - JWT: RFC 7519, signed and in compact form; the secret is the HMAC key, a PEM
//     public key or a JWK Set, unless keySource says where the keys are.
//
// +kubebuilder:validation:Enum=HMAC-SHA1;HMAC-SHA256;HMAC-SHA512;SHA256;Ed25519;ECDSA-P256-SHA256;RSA-SHA1;RSA-SHA256;Token;Basic;JWT
type SignatureAlgorithm string

// KeyStep is one step from the secret to the key: base64 and hex decode, sha1
// takes the digest, nfkd normalises Unicode, trim:<prefix> drops a prefix that
// may be missing.
//
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^(trim:.+|base64|hex|sha1|nfkd)$')",message="a step of key is base64, hex, sha1, nfkd, or trim:<prefix>, for example trim:whsec_"
type KeyStep string

// ContentTemplate is text with variables in braces; {{ and }} are braces.
//
// {body}, {body_sha256} (hex), {crc32} (decimal), {form_sorted} (names and values
// of a form, sorted), {timestamp}, {id}, {method}, {url} (the public URL as given
// to the sender, with the query), {request_uri} (its path and query), {secret} (for
// SHA256), {signed_headers}, {header:X}, {query:x}, {form:x}, {json:/pointer},
// {members:A,B} (the JSON members of these names that are there, each as its name and
// its value on lines of their own), {param:x}.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
type ContentTemplate string

// IdentityTemplate is text with variables in braces: {id}, {timestamp},
// {body_sha256} (hex), {signed_sha256} (hex, of what was signed), {header:X}, {query:x}, {form:x}, {json:/pointer}, {claim:/pointer}.
//
// A pointer may contain "*" for all elements of an array: {json:/events/*/id}. As a
// type, each element has one of its own, made of that element's values alone; as an id,
// if there are several, it is a digest of them all.
//
// An id of several variables needs text between them. In all but the last value, "%" and
// the characters of that text are percent-encoded, so that no two events have one id. An
// id that can't stand in a header, or has more than 256 bytes, becomes "sha256-" and its
// digest in hex.
//
// What is found may be decoded further: {form:payload|json:/id},
// {form:bt_payload|base64|xml:/notification/kind}. There may be four such steps: base64,
// json:/pointer and xml:/names/of/elements.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
type IdentityTemplate string

// SignatureScheme is one way to sign a request.
//
// +kubebuilder:validation:XValidation:rule="self.algorithm in ['Token', 'Basic', 'JWT'] || has(self.content)",message="content is missing: say what is signed, for example {body}; only Token and Basic sign nothing"
// +kubebuilder:validation:XValidation:rule="!(self.algorithm in ['Token', 'Basic']) || !(has(self.content) || has(self.key) || has(self.keyID) || has(self.id) || has(self.timestamp) || has(self.bodyDigest) || has(self.keySource))",message="Token and Basic sign nothing: content, key, keyID, keySource, id, timestamp and bodyDigest have no meaning for them"
// +kubebuilder:validation:XValidation:rule="self.algorithm != 'JWT' || !(has(self.content) || has(self.keyID) || has(self.id) || has(self.timestamp))",message="a JWT holds what is signed: content, keyID, id and timestamp have no meaning for it"
// +kubebuilder:validation:XValidation:rule="has(self.jwt) == (self.algorithm == 'JWT')",message="jwt says what the token must be for the algorithm JWT, and has no meaning for others"
// +kubebuilder:validation:XValidation:rule="!(self.algorithm in ['Token', 'Basic', 'JWT']) || self.signature.encoding == 'Text'",message="signature.encoding must be Text for Token, Basic and JWT: what is sent is taken as it is"
// +kubebuilder:validation:XValidation:rule="!has(self.content) || self.content.contains('{secret}') == (self.algorithm == 'SHA256')",message="{secret} belongs into the content of the algorithm SHA256, and of no other"
// +kubebuilder:validation:XValidation:rule="!has(self.content) || self.content.contains('{timestamp}') == false || has(self.timestamp)",message="content contains {timestamp}: say in timestamp where that is and how it is written"
// +kubebuilder:validation:XValidation:rule="!has(self.content) || self.content.contains('{id}') == has(self.id)",message="content contains {id} if, and only if, id says where that is; an id that is not signed belongs into identity.id, as {header:X-Id}"
// +kubebuilder:validation:XValidation:rule="!has(self.timestamp) || has(self.timestamp.from) != (has(self.signature.keyValue) && has(self.signature.keyValue.timestampKey))",message="say where the timestamp is: either in timestamp.from or in signature.keyValue.timestampKey"
type SignatureScheme struct {
	// name tells the schemes of a provider apart, for example v1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// methods are those by which the sender delivers; POST alone by default.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	Methods []DeliveryMethod `json:"methods,omitempty"`
	// bodyFormat is what the body must be, or the request is refused once its signature
	// is found right: JSON (an object or an array), JSONObject, JSONArray, Form
	// (application/x-www-form-urlencoded or multipart/form-data, as declared), or Any,
	// the default.
	// +optional
	BodyFormat BodyFormat `json:"bodyFormat,omitempty"`
	// contentEncoding says which bytes {body} and {body_sha256} stand for where the
	// request has a Content-Encoding: those that were sent (AsSent, the default), or what
	// they are the encoding of (Decoded; gzip and deflate).
	// +optional
	ContentEncoding ContentEncoding `json:"contentEncoding,omitempty"`
	// mediaType restricts the scheme to bodies of this type, for example
	// application/x-www-form-urlencoded.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	MediaType string `json:"mediaType,omitempty"`
	// when restricts the scheme to requests that meet all conditions.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	When []RequestCondition `json:"when,omitempty"`
	// algorithm is how the signature is made. The sender can't choose it.
	// +required
	Algorithm SignatureAlgorithm `json:"algorithm"`
	// key lists the steps from the secret to the key, in order. Without steps the
	// bytes of the secret are the key.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Key []KeyStep `json:"key,omitempty"`
	// keySource is where the keys come from. Without it: from the endpoint's secret.
	// +optional
	KeySource *KeySource `json:"keySource,omitempty"`
	// jwt is what the token must be, for the algorithm JWT.
	// +optional
	JWT *JSONWebToken `json:"jwt,omitempty"`
	// keyID is where the sender names the key that it used. The secret is then
	// written <key id>:<secret>.
	// +optional
	KeyID *RequestLocation `json:"keyID,omitempty"`
	// signature is where the signature is, and how it is written.
	// +required
	Signature SignatureFormat `json:"signature"`
	// content is what is signed.
	// +optional
	Content ContentTemplate `json:"content,omitempty"`
	// alternativeContent lists what the sender is known to sign instead.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	AlternativeContent []ContentTemplate `json:"alternativeContent,omitempty"`
	// urlForms lists the spellings of {url} and {request_uri} to try: AsGiven,
	// DefaultPort (:443 or :80 is written out), NoPort, ReservedDecoded, ApostropheEscaped.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	URLForms []URLForm `json:"urlForms,omitempty"`
	// id is where the variable {id} is. It is signed, and the request is refused
	// without it.
	// +optional
	ID *RequestLocation `json:"id,omitempty"`
	// timestamp is when the sender signed. It must be signed, too.
	// +optional
	Timestamp *SignatureTimestamp `json:"timestamp,omitempty"`
	// signedHeaders is for senders that say in the request which headers they
	// signed: it makes the variable {signed_headers}.
	// +optional
	SignedHeaders *SignedHeaders `json:"signedHeaders,omitempty"`
	// bodyDigest is where the SHA-256 of the body is, if that is signed instead of
	// the body.
	// +optional
	BodyDigest *BodyDigest `json:"bodyDigest,omitempty"`
	// require lists conditions that a request of this scheme must meet; otherwise it
	// is refused.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Require []RequestCondition `json:"require,omitempty"`
	// bodyUnsigned admits that the sender doesn't sign the body. Whoever sees one
	// request can then send another body with its signature.
	// +optional
	BodyUnsigned bool `json:"bodyUnsigned,omitempty"`
}

// RequestLocation is one place of a request.
//
// +kubebuilder:validation:ExactlyOneOf=header;query;form;json;claim
type RequestLocation struct {
	// header is the name of a header.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Header string `json:"header,omitempty"`
	// query is a parameter of the URL.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Query string `json:"query,omitempty"`
	// form is a field of a form (application/x-www-form-urlencoded).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Form string `json:"form,omitempty"`
	// json is a JSON pointer (RFC 6901) into the body, for example /data/0/id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="json must be a JSON pointer, for example /data/id"
	JSON string `json:"json,omitempty"`
	// claim is a JSON pointer (RFC 6901) into the claims of the token, for the
	// algorithm JWT.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="claim must be a JSON pointer, for example /jti"
	Claim string `json:"claim,omitempty"`
}

// DeliveryMethod is an HTTP method by which a sender delivers events.
//
// +kubebuilder:validation:Enum=GET;HEAD;POST;PUT;PATCH;DELETE
type DeliveryMethod string

// BodyFormat is what a body is.
//
// +kubebuilder:validation:Enum=Any;JSON;JSONObject;JSONArray;Form
type BodyFormat string

// ContentEncoding says which bytes of an encoded body are signed.
//
// +kubebuilder:validation:Enum=AsSent;Decoded
type ContentEncoding string

// RequestCondition is something that a request can meet. With neither equals
// nor pattern nor parameter nor absent, the place must hold something.
//
// +kubebuilder:validation:AtMostOneOf=equals;pattern;parameter;absent
// +kubebuilder:validation:XValidation:rule="!has(self.optional) || !self.optional || has(self.parameter)",message="optional needs parameter: it lets the condition hold where the endpoint gives the parameter no value"
type RequestCondition struct {
	// The place that is looked at.
	RequestLocation `json:",inline"`
	// equals is what must be there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Equals string `json:"equals,omitempty"`
	// pattern is a regular expression (RE2) that all of what is there must match.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Pattern string `json:"pattern,omitempty"`
	// parameter names a parameter of the provider: what is there must be one of the
	// values that the endpoint gives it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Parameter string `json:"parameter,omitempty"`
	// optional lets the condition hold where the endpoint gives the parameter no value.
	// +optional
	Optional bool `json:"optional,omitempty"`
	// absent demands that there is nothing: no header of that name, no member.
	// +optional
	Absent bool `json:"absent,omitempty"`
}

// ProviderParameter is what a sender needs to know of an endpoint.
//
// +kubebuilder:validation:XValidation:rule="self.name.matches('^[a-z]([a-z0-9_]*[a-z0-9])?$')",message="the name of a parameter must start with a letter and consist of lower case letters, digits and '_', for example webhook_id"
type ProviderParameter struct {
	// name is how templates and endpoints call it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// description says what it is and where to find it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Description string `json:"description"`
	// required parameters must be given: without them, an endpoint can't serve.
	// +optional
	Required bool `json:"required,omitempty"`
	// sensitive parameters are secrets. Their value is read from the entry of this name
	// in the endpoint's Secret, not from the endpoint.
	// +optional
	Sensitive bool `json:"sensitive,omitempty"`
}

// JSONWebToken is what a token must be, beyond being signed and not expired.
type JSONWebToken struct {
	// algorithms are those accepted (RFC 7518): either HS256 alone, or RS256, ES256
	// or both.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:XValidation:rule="!('HS256' in self) || self.size() == 1",message="jwt.algorithms must not mix HS256 with others: a public key is no secret"
	Algorithms []JWTAlgorithm `json:"algorithms"`
	// claims must all hold.
	// +optional
	// +listType=map
	// +listMapKey=claim
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Claims []JWTClaim `json:"claims,omitempty"`
	// maxAge bounds the time since the claim iat, which must then be there, from 1s
	// to 24h. Without it, only exp and nbf are judged, where they are.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="jwt.maxAge must be a duration from 1s to 24h, for example 5m"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
}

// JWTAlgorithm is a signature algorithm of RFC 7518.
//
// +kubebuilder:validation:Enum=HS256;RS256;ES256
type JWTAlgorithm string

// JWTClaim is a claim that must have one of several values.
//
// +kubebuilder:validation:ExactlyOneOf=values;parameter;urlDigest
type JWTClaim struct {
	// claim is a JSON pointer (RFC 6901) into the claims, for example /aud. Of an
	// array, one element must have the value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="claim must be a JSON pointer, for example /aud"
	Claim string `json:"claim"`
	// values are those accepted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Values []string `json:"values,omitempty"`
	// parameter names a parameter of the provider; the values that the endpoint gives
	// it are those accepted.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Parameter string `json:"parameter,omitempty"`
	// urlDigest is how the SHA-256 of the public URL, with the query of the request,
	// is written in the claim.
	// +optional
	URLDigest SignatureEncoding `json:"urlDigest,omitempty"`
}

// KeySource is where the keys of a scheme come from.
//
// +kubebuilder:validation:ExactlyOneOf=jwksURL;publicKey;certificate
type KeySource struct {
	// jwksURL is where the sender publishes a JWK Set (RFC 7517). The manager fetches
	// and refreshes it. Behind the host it may contain {param:x}.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https://[^/{}]+/.*$')",message="jwksURL must be a whole https URL, for example https://example.com/.well-known/jwks.json"
	JWKSURL string `json:"jwksURL,omitempty"`
	// publicKey is where the sender publishes a PEM public key. The manager fetches
	// and refreshes it.
	// +optional
	PublicKey *PublicKeySource `json:"publicKey,omitempty"`
	// certificate is an X.509 certificate whose URL is in each request. The receivers
	// fetch it, from the hosts that are allowed here only.
	// +optional
	Certificate *CertificateSource `json:"certificate,omitempty"`
}

// PublicKeySource is a document that holds a PEM public key.
type PublicKeySource struct {
	// url of the document.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https://[^/{}]+/.*$')",message="url must be a whole https URL, for example https://example.com/keys"
	URL string `json:"url"`
	// json is a JSON pointer (RFC 6901) to the key; without it, the document is the key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="json must be a JSON pointer, for example /config/public_key"
	JSON string `json:"json,omitempty"`
}

// CertificateSource is an X.509 certificate whose URL is in the request.
type CertificateSource struct {
	// from is where the URL is.
	// +required
	From RequestLocation `json:"from"`
	// hostPattern is a regular expression (RE2) that all of the URL's host must match.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	HostPattern string `json:"hostPattern"`
	// pathPattern is a regular expression (RE2) that all of the URL's path must match. The
	// URL must have no query.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	PathPattern string `json:"pathPattern"`
	// dnsNames are names; the certificate must be valid for one of them, and its chain must
	// lead to a trusted root. {region} in a name is what the group (?P<region>...) of
	// hostPattern matched: senders have certificates that differ by region.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	DNSNames []string `json:"dnsNames"`
	// issuers is where the certificates of its issuers may be fetched, if the document at
	// the URL lacks them.
	// +optional
	Issuers *CertificateIssuers `json:"issuers,omitempty"`
}

// CertificateIssuers is where the certificates of issuers may be fetched, at the URLs
// that certificates name themselves (RFC 5280 §4.2.2.1, caIssuers). What is fetched there
// is trusted for nothing but its place in a chain up to a trusted root.
type CertificateIssuers struct {
	// hostPattern is a regular expression (RE2) that all of the URL's host must match.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	HostPattern string `json:"hostPattern"`
	// pathPattern is a regular expression (RE2) that all of the URL's path must match. The
	// URL must have no query.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	PathPattern string `json:"pathPattern"`
}

// SignedHeaders is where a request says which headers are signed. The variable
// {signed_headers} is then "name:value;name:value", names in lower case and sorted.
type SignedHeaders struct {
	// from is where the names are, separated by commas.
	// +required
	From RequestLocation `json:"from"`
	// required are names that must be among them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Required []string `json:"required,omitempty"`
}

// AnswerTemplate is text with variables in braces: {header:X}, {query:x}, {form:x},
// {json:/pointer}, {param:x}, {key_id} (of the newest secret, where secrets have ids).
// What is found may be signed with the newest secret: {query:crc_token|hmac_base64},
// {json:/plainToken|hmac_hex}; if the handshake is unsigned, guard must then have a
// pattern for it that lets no body of an event through.
//
// +kubebuilder:validation:MaxLength=1024
type AnswerTemplate string

// Handshake is a request by which a sender makes sure that somebody listens.
type Handshake struct {
	// name tells the handshakes of a provider apart, for example url_verification.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// kind is Challenge, the default, for a request that asks for a certain answer, or Probe
	// for a GET or HEAD that only asks whether the URL exists. A request that has a
	// signature is no probe.
	// +optional
	Kind HandshakeKind `json:"kind,omitempty"`
	// method of the request.
	// +required
	// +kubebuilder:validation:Enum=GET;HEAD;POST;OPTIONS
	Method string `json:"method"`
	// match says which requests of that method are meant: those that meet all
	// conditions.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Match []RequestCondition `json:"match,omitempty"`
	// unsigned handshakes are those that the sender does not sign. Others are verified
	// like an event before they are looked at.
	// +optional
	Unsigned bool `json:"unsigned,omitempty"`
	// guard must hold, too; otherwise the handshake is refused.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Guard []RequestCondition `json:"guard,omitempty"`
	// answer is what the sender wants to see.
	// +required
	Answer HandshakeAnswer `json:"answer"`
	// confirm is a URL in the request that the receiver requests by GET before it
	// answers. The handshake must be signed.
	// +optional
	Confirm *Confirmation `json:"confirm,omitempty"`
}

// HandshakeKind is what a handshake is for.
//
// +kubebuilder:validation:Enum=Challenge;Probe
type HandshakeKind string

// HandshakeAnswer is the answer to a handshake.
//
// +kubebuilder:validation:AtMostOneOf=body;json
type HandshakeAnswer struct {
	// status of the answer; 200 by default.
	// +optional
	// +default=200
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=299
	Status int32 `json:"status,omitempty"`
	// contentType of body: text/plain, the default, or application/json if body has no
	// variables. Types that a browser runs are not allowed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	ContentType string `json:"contentType,omitempty"`
	// headers of the answer. One whose variables are missing in the request is left
	// out; in body and json, a missing variable makes the handshake malformed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Headers []AnswerField `json:"headers,omitempty"`
	// body of the answer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Body AnswerTemplate `json:"body,omitempty"`
	// json are the members of a JSON object, which is the body. A value that is an
	// integer without variables becomes a number, every other one a text.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	JSON []AnswerField `json:"json,omitempty"`
}

// AnswerField is a header or a member of the answer.
type AnswerField struct {
	// name of the header or the member.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// value is a template.
	// +required
	Value AnswerTemplate `json:"value"`
}

// Confirmation is a URL in a request.
type Confirmation struct {
	// from is where the URL is.
	// +required
	From RequestLocation `json:"from"`
	// hostPattern is a regular expression (RE2) that all of the URL's host must match.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	HostPattern string `json:"hostPattern"`
	// pathPattern is a regular expression (RE2) that all of the URL's path must match.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	PathPattern string `json:"pathPattern"`
	// queryPattern is a regular expression (RE2) that all of the URL's query must match.
	// Without it, the URL must have no query.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	QueryPattern string `json:"queryPattern,omitempty"`
}

// ProviderResponses are the answers that a sender wants to see.
type ProviderResponses struct {
	// success is the answer to an event that is stored, or was before. Without it:
	// 200 and a JSON object that says which event it is.
	// +optional
	Success *SuccessResponse `json:"success,omitempty"`
	// unauthenticated is the status for a wrong signature; 401 by default. It never
	// is 410, on which senders delete a subscription.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=499
	// +kubebuilder:validation:XValidation:rule="self != 410",message="responses.unauthenticated must not be 410: senders delete their subscription on it"
	Unauthenticated int32 `json:"unauthenticated,omitempty"`
	// malformed is the status for a missing or malformed signature; 400 by default.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=499
	// +kubebuilder:validation:XValidation:rule="self != 410",message="responses.malformed must not be 410: senders delete their subscription on it"
	Malformed int32 `json:"malformed,omitempty"`
	// overloaded is the status for more requests than limits.rateLimit allows, with a
	// Retry-After: 429, the default, or 503.
	// +optional
	// +kubebuilder:validation:Enum=429;503
	Overloaded int32 `json:"overloaded,omitempty"`
	// forbidden is the status for a source address that limits.sourceRanges doesn't allow;
	// 403 by default. It never is 410.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	// +kubebuilder:validation:XValidation:rule="self != 410",message="responses.forbidden must not be 410: senders delete their subscription on it"
	Forbidden int32 `json:"forbidden,omitempty"`
	// tooLarge is the status for a body beyond limits.maxBodyBytes; 413 by default. It
	// never is 410.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	// +kubebuilder:validation:XValidation:rule="self != 410",message="responses.tooLarge must not be 410: senders delete their subscription on it"
	TooLarge int32 `json:"tooLarge,omitempty"`
	// invalid is the status for a request that is authentic and can't be an event: one
	// without an id, or with another body than the sender sends; 400 by default. It never
	// is 410.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=499
	// +kubebuilder:validation:XValidation:rule="self != 410",message="responses.invalid must not be 410: senders delete their subscription on it"
	Invalid int32 `json:"invalid,omitempty"`
	// refusalBody is the body of every answer that is no success: Detailed, the default,
	// a JSON object that says what is wrong; or Empty.
	// +optional
	RefusalBody RefusalBody `json:"refusalBody,omitempty"`
}

// RefusalBody is the body of an answer that is no success.
//
// +kubebuilder:validation:Enum=Detailed;Empty
type RefusalBody string

// RefusalBodyEmpty leaves the body of refusals empty.
const RefusalBodyEmpty RefusalBody = "Empty"

// SuccessResponse is an answer.
//
// +kubebuilder:validation:XValidation:rule="!has(self.body) || self.status != 204",message="an answer with the status 204 has no body"
type SuccessResponse struct {
	// status of the answer.
	// +required
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=299
	Status int32 `json:"status"`
	// contentType of body; text/plain by default.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	ContentType string `json:"contentType,omitempty"`
	// body of the answer; without it, the body is empty.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Body string `json:"body,omitempty"`
}

// SignatureEncoding is how bytes are written as text: Hex (either case), Base64
// (padded), Base64URL (with or without padding), or Text.
//
// +kubebuilder:validation:Enum=Hex;Base64;Base64URL;Text
type SignatureEncoding string

// SignatureFormat is where the signature is, and how it is written. Without
// prefix, list, keyValue and pairs the whole value is the signature.
//
// +kubebuilder:validation:AtMostOneOf=prefix;list;keyValue;pairs
// +kubebuilder:validation:XValidation:rule="!has(self.prefixOptional) || !self.prefixOptional || has(self.prefix)",message="signature.prefixOptional needs signature.prefix"
type SignatureFormat struct {
	// from lists the places where a signature can be. Each that is there is a
	// candidate; one that matches is enough.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	From []RequestLocation `json:"from"`
	// repeated headers may occur several times, with one signature each.
	// Otherwise a header that occurs twice is refused.
	// +optional
	Repeated bool `json:"repeated,omitempty"`
	// prefix stands before the signature, for example sha256=.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Prefix string `json:"prefix,omitempty"`
	// prefixOptional says that the prefix may be missing.
	// +optional
	PrefixOptional bool `json:"prefixOptional,omitempty"`
	// list is several signatures in one value, as in "v1,aaa v1,bbb".
	// +optional
	List *SignatureList `json:"list,omitempty"`
	// keyValue is named items in one value, as in "t=1,v1=aaa,v1=bbb".
	// +optional
	KeyValue *SignatureKeyValue `json:"keyValue,omitempty"`
	// pairs is several signatures in one value, each with the id of its key, as in
	// "id1|aaa&id2|bbb". The secret is then written <key id>:<secret>.
	// +optional
	Pairs *SignaturePairs `json:"pairs,omitempty"`
	// encoding is how the bytes of the signature are written.
	// +required
	Encoding SignatureEncoding `json:"encoding"`
}

// SignatureList is several signatures in one value.
//
// +kubebuilder:validation:XValidation:rule="!has(self.prefixOptional) || !self.prefixOptional || has(self.prefix)",message="signature.list.prefixOptional needs signature.list.prefix"
type SignatureList struct {
	// separator stands between the items.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	Separator string `json:"separator"`
	// prefix marks the items of this scheme, for example "v1,". Others are skipped.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Prefix string `json:"prefix,omitempty"`
	// prefixOptional says that the prefix may be missing: no item is skipped then.
	// +optional
	PrefixOptional bool `json:"prefixOptional,omitempty"`
	// trimSpace drops spaces around items.
	// +optional
	TrimSpace bool `json:"trimSpace,omitempty"`
}

// SignatureKeyValue is named items in one value.
//
// +kubebuilder:validation:XValidation:rule="self.separator != self.equals && (!has(self.timestampKey) || self.timestampKey != self.signatureKey)",message="separator and equals, and signatureKey and timestampKey, must differ"
type SignatureKeyValue struct {
	// separator stands between the items.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	Separator string `json:"separator"`
	// equals stands between name and value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	Equals string `json:"equals"`
	// signatureKey names the items that are signatures of this scheme. Others are
	// skipped.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	SignatureKey string `json:"signatureKey"`
	// timestampKey names the item that is the timestamp.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TimestampKey string `json:"timestampKey,omitempty"`
	// trimSpace drops spaces around items.
	// +optional
	TrimSpace bool `json:"trimSpace,omitempty"`
}

// SignaturePairs is several signatures in one value, each with the id of its key.
//
// +kubebuilder:validation:XValidation:rule="self.separator != self.equals",message="separator and equals must differ"
type SignaturePairs struct {
	// separator stands between the pairs.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	Separator string `json:"separator"`
	// equals stands between key id and signature.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	Equals string `json:"equals"`
}

// URLForm is a spelling of the URL. ApostropheEscaped is Twilio's: ' is written %27.
// ReservedDecoded is HubSpot's: the percent-escapes
// of : / ? @ ! $ ' ( ) * , ; are decoded.
//
// +kubebuilder:validation:Enum=AsGiven;DefaultPort;NoPort;ReservedDecoded;ApostropheEscaped
type URLForm string

// TimestampUnit is how a timestamp is written: Seconds or Milliseconds since 1970
// in decimal digits, or RFC3339.
//
// +kubebuilder:validation:Enum=Seconds;Milliseconds;RFC3339
type TimestampUnit string

// SignatureTimestamp is when the sender says it signed.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tolerance) || has(self.unit)",message="timestamp.tolerance needs timestamp.unit: a timestamp can't be judged without knowing how it is written"
type SignatureTimestamp struct {
	// from is where it is. Without it, it is in signature.keyValue.timestampKey.
	// +optional
	From *RequestLocation `json:"from,omitempty"`
	// unit is how it is written. Without it, the timestamp is signed as text and
	// not understood.
	// +optional
	Unit TimestampUnit `json:"unit,omitempty"`
	// tolerance is how far it may be from now, into the past and into the future, from 1s
	// to 360h. Where retries keep the signature of the first attempt, it must cover the
	// whole schedule of retries, and deduplication.window twice the tolerance. Without it,
	// the timestamp is not judged.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('360h')",message="timestamp.tolerance must be a duration from 1s to 360h, for example 5m"
	Tolerance *metav1.Duration `json:"tolerance,omitempty"`
}

// BodyDigest is the SHA-256 of the body in a place that is signed.
//
// +kubebuilder:validation:AtMostOneOf=optional;absentWhenEmpty
type BodyDigest struct {
	// from is where it is.
	// +required
	From RequestLocation `json:"from"`
	// encoding is how it is written.
	// +required
	Encoding SignatureEncoding `json:"encoding"`
	// optional digests may be missing; if one is there, it must be right.
	// +optional
	Optional bool `json:"optional,omitempty"`
	// absentWhenEmpty says that the digest may be missing if, and only if, the body is
	// empty.
	// +optional
	AbsentWhenEmpty bool `json:"absentWhenEmpty,omitempty"`
}

// EventIdentity says which event a request is. Of each list the first template
// counts whose variables are all there.
type EventIdentity struct {
	// id lists templates for the event id. {body_sha256} is the last resort, for
	// senders that number nothing.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	ID []IdentityTemplate `json:"id"`
	// type lists templates for the event type. The type may be missing.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Type []IdentityTemplate `json:"type,omitempty"`
}

// ProviderDeduplication says how the sender repeats events.
//
// +kubebuilder:validation:XValidation:rule="!has(self.signedContentUnique) || !self.signedContentUnique || has(self.reason)",message="deduplication.signedContentUnique needs deduplication.reason: say what makes the signed content of two events differ"
type ProviderDeduplication struct {
	// window is for how long the sender repeats an event, from 1m to 720h. It is the
	// default of the endpoints' deduplication.window; without it that is 72h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="deduplication.window must be a duration from 1m to 720h, for example 72h"
	Window *metav1.Duration `json:"window,omitempty"`
	// signedContentUnique says that no two events have the same signed content, so a
	// content that comes again under another event id is a replay. Endpoints with
	// replayProtection Auto then refuse it.
	// +optional
	SignedContentUnique bool `json:"signedContentUnique,omitempty"`
	// reason says where window and signedContentUnique come from.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
}

// FactConfidence says where a fact comes from: Official (documentation or source
// of the sender), ThirdParty (source of others), Unverified.
//
// +kubebuilder:validation:Enum=Official;ThirdParty;Unverified
type FactConfidence string

// ProviderFacts are for people, but for ackSeconds and retries.
type ProviderFacts struct {
	// scheme says where the description of the signature comes from.
	// +optional
	Scheme FactConfidence `json:"scheme,omitempty"`
	// delivery says where ackSeconds, retry and success come from.
	// +optional
	Delivery FactConfidence `json:"delivery,omitempty"`
	// ackSeconds is how long the sender waits for an answer. If delivery is Official,
	// receivers go by it: while Redis is away, they try to store an event for 80 % of that
	// time, of one minute at most, before they answer 503. Otherwise they take it for 5.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	AckSeconds int32 `json:"ackSeconds,omitempty"`
	// retry is how the sender repeats events.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Retry string `json:"retry,omitempty"`
	// success is the answer that the sender takes for success.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Success string `json:"success,omitempty"`
	// secret says how to get the secret from the sender.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Secret string `json:"secret,omitempty"`
	// events says which event types there are, with examples.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Events string `json:"events,omitempty"`
	// notes are what else to know, for example how to set the sender up.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Notes string `json:"notes,omitempty"`
	// docs are where to read on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=512
	Docs []string `json:"docs,omitempty"`

	// methods says where the methods of the schemes come from.
	// +optional
	Methods *FactSource `json:"methods,omitempty"`
	// id is what is known of the event id.
	// +optional
	ID *IDFact `json:"id,omitempty"`
	// retries is what is known of repeated requests.
	// +optional
	Retries *RetryFact `json:"retries,omitempty"`
	// bodies says where maxBodyBytes comes from.
	// +optional
	Bodies *FactSource `json:"bodies,omitempty"`
	// answers says where responses come from.
	// +optional
	Answers *FactSource `json:"answers,omitempty"`
	// handshakes says where the handshakes come from, or that there are none.
	// +optional
	Handshakes *FactSource `json:"handshakes,omitempty"`
}

// FactSource says where a fact comes from.
type FactSource struct {
	// confidence in the source.
	// +required
	Confidence FactConfidence `json:"confidence"`
	// source is the address of the document, or a sentence that says how the fact was
	// decided where no document says it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Source string `json:"source"`
}

// IDFact is what is known of the event id.
type IDFact struct {
	FactSource `json:",inline"`
	// perEvent says whether each event has an id of its own: Unique, Shared (some events
	// have the same, and the endpoint could take one for another), or Unknown.
	// +required
	// +kubebuilder:validation:Enum=Unique;Shared;Unknown
	PerEvent string `json:"perEvent"`
	// overRetries says whether a repeated request has the id of the first: Same, Different,
	// Unknown, or None where the sender repeats nothing.
	// +required
	// +kubebuilder:validation:Enum=Same;Different;Unknown;None
	OverRetries string `json:"overRetries"`
}

// RetryFact is what is known of repeated requests.
type RetryFact struct {
	FactSource `json:",inline"`
	// signature says whether a repeated request is signed Anew, with the time of the
	// repetition; keeps the signature of the first (Kept); or is made of nothing that
	// changes (Timeless: there is no time in what is signed). None: the sender repeats
	// nothing.
	// +required
	// +kubebuilder:validation:Enum=Anew;Kept;Timeless;Unknown;None
	Signature string `json:"signature"`
	// within is how long after the first attempt the last repetition comes. Without it,
	// nobody says. It is what timestamp.tolerance and deduplication.window are checked
	// against.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) <= duration('720h')",message="retries.within must be a duration of at most 720h, for example 72h"
	Within *metav1.Duration `json:"within,omitempty"`
}

// ProviderTest is an example request and what must come of it.
type ProviderTest struct {
	// name says what the example shows.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// secret is what the example is verified with; without it, there is none. It is no
	// secret: never put a real one here.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Secret string `json:"secret,omitempty"`
	// now is the time at which the example arrives, for schemes with a timestamp.
	// +optional
	Now *metav1.Time `json:"now,omitempty"`
	// parameters are the values of the provider's parameters.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Parameters []ParameterValues `json:"parameters,omitempty"`
	// key is what the sender publishes, for schemes with a keySource: a JWK Set, a PEM
	// public key, or a PEM certificate, which is then trusted.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Key string `json:"key,omitempty"`
	// request is what arrives.
	// +required
	Request ExampleRequest `json:"request"`
	// expect is what must come of it.
	// +required
	Expect Expectation `json:"expect"`
}

// ExampleRequest is a request.
//
// +kubebuilder:validation:AtMostOneOf=body;bodyBase64
type ExampleRequest struct {
	// method of the request.
	// +optional
	// +default="POST"
	// +kubebuilder:validation:Enum=GET;HEAD;POST;PUT;PATCH;DELETE;OPTIONS
	Method string `json:"method,omitempty"`
	// url is the public URL, with the query.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
	// headers of the request, in order. A name may occur twice.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Headers []ExampleHeader `json:"headers,omitempty"`
	// body is the body as text.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	Body string `json:"body,omitempty"`
	// bodyBase64 is the body in standard base64 (RFC 4648 §4), padded, where it isn't text.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$')",message="bodyBase64 must be base64 with '+' and '/', padded with '=', on one line, for example eyJhIjoxfQ=="
	BodyBase64 string `json:"bodyBase64,omitempty"`
}

// Bytes returns the body. Not every example comes from the API server, so its
// bodyBase64 may be anything.
func (r *ExampleRequest) Bytes() ([]byte, error) {
	if r.BodyBase64 == "" {
		return []byte(r.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(r.BodyBase64)
	if err != nil {
		return nil, errors.New("request.bodyBase64 is not base64 with '+' and '/', padded with '='")
	}
	return body, nil
}

// ExampleHeader is a header of an example.
type ExampleHeader struct {
	// name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// value of the header.
	// +required
	// +kubebuilder:validation:MaxLength=8192
	Value string `json:"value"`
}

// RejectionReason is why a request is refused.
//
// +kubebuilder:validation:Enum=MissingSignature;MalformedSignature;DuplicateHeader;WrongSignature;MissingTimestamp;MalformedTimestamp;TimestampOutsideTolerance;PreconditionFailed;MissingID;MalformedBody;NoUsableKey;ClaimMismatch;HandshakeRefused;MalformedHandshake;UntrustedCertificate;NoCertificate;NoPublicURL
type RejectionReason string

// Expectation is what must come of an example: a rejection, a handshake, or an
// event.
//
// +kubebuilder:validation:ExactlyOneOf=rejected;handshake;id
// +kubebuilder:validation:XValidation:rule="has(self.id) || !(has(self.type) || has(self.scheme))",message="only an example that is an event has a type and a scheme"
type Expectation struct {
	// rejected is the reason for which the request is refused.
	// +optional
	Rejected RejectionReason `json:"rejected,omitempty"`
	// handshake is the answer to a handshake.
	// +optional
	Handshake *ExpectedHandshake `json:"handshake,omitempty"`
	// scheme is the name of the scheme that verified the request; empty: any.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Scheme string `json:"scheme,omitempty"`
	// id is the id of the event.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ID string `json:"id,omitempty"`
	// type is the type of the event; without it, it must have none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Type string `json:"type,omitempty"`
}

// ExpectedHandshake is the answer to a handshake.
type ExpectedHandshake struct {
	// name of the handshake.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// status of the answer; 200 by default.
	// +optional
	// +default=200
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=299
	Status int32 `json:"status,omitempty"`
	// headers that the answer must have.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Headers []ExampleHeader `json:"headers,omitempty"`
	// body of the answer; without it, the answer must have none.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Body string `json:"body,omitempty"`
	// confirm is the URL that is requested before the answer is given.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Confirm string `json:"confirm,omitempty"`
}

// WebhookProviderStatus is what came of the examples.
type WebhookProviderStatus struct {
	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Verified: every example comes out as stated.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`
	// unauthenticated says for each scheme what the signature leaves out: whoever
	// holds one genuine request can change it without being noticed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=1024
	Unauthenticated []string `json:"unauthenticated,omitempty"`
}

// WebhookProviderList is a list of WebhookProvider.
//
// +kubebuilder:object:root=true
type WebhookProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WebhookProvider `json:"items"`
}
