package verify

// JWT is what a JSON Web Token must be, beyond being signed. It belongs to the
// algorithm JWT.
type JWT struct {
	// Algorithms are those accepted (RFC 7518 §3.1): HS256, RS256, ES256. HS256
	// and the others exclude each other: a public key is no secret.
	Algorithms []string `json:"algorithms"`
	// Claims must all hold.
	Claims []Claim `json:"claims,omitempty"`
	// MaxAgeSeconds bounds the time since iat, which must then be there; 0: only
	// exp and nbf are judged, where they are.
	MaxAgeSeconds int64 `json:"maxAgeSeconds,omitempty"`
}

// Claim is a claim that must have one of several values. Exactly one of Values,
// Parameter and URLDigest is set.
type Claim struct {
	// Claim is a JSON pointer into the claims, for example "/aud". Of an array one
	// element must have the value.
	Claim string `json:"claim"`
	// Values are those accepted.
	Values []string `json:"values,omitempty"`
	// Parameter names a parameter; its values are those accepted.
	Parameter string `json:"parameter,omitempty"`
	// URLDigest is the encoding in which the SHA-256 of the public URL, with the
	// query of the request, is written in the claim.
	URLDigest Encoding `json:"urlDigest,omitempty"`
}

// KeySource is where the keys of a scheme come from, if not from the endpoint's
// secret. Exactly one field is set.
type KeySource struct {
	// JWKSURL is where the sender publishes a JWK Set (RFC 7517). It may contain
	// {param:x} behind the host.
	JWKSURL string `json:"jwksURL,omitempty"`
	// PublicKey is where the sender publishes a PEM public key.
	PublicKey *PublicKeySource `json:"publicKey,omitempty"`
	// Certificate is named by each request.
	Certificate *CertificateSource `json:"certificate,omitempty"`
}

// PublicKeySource is a document that holds a PEM public key.
type PublicKeySource struct {
	// URL of the document.
	URL string `json:"url"`
	// JSON is a pointer to the text that is the key; empty: the document is it.
	JSON string `json:"json,omitempty"`
}

// CertificateSource is an X.509 certificate whose URL is in the request.
type CertificateSource struct {
	// From is where the URL is.
	From Location `json:"from"`
	// HostPattern is a regular expression (RE2) that the URL's whole host must match.
	HostPattern string `json:"hostPattern"`
	// PathPattern is a regular expression (RE2) that the URL's whole path must match; it
	// must have no query.
	PathPattern string `json:"pathPattern"`
	// DNSNames are names; the certificate must be valid for one of them, and its chain
	// must lead to a trusted root. {x} in them is what the group (?P<x>…) of
	// HostPattern matched.
	DNSNames []string `json:"dnsNames"`
	// Issuers is where the certificates of issuers may be fetched; nil: nowhere.
	Issuers *CertificateIssuers `json:"issuers,omitempty"`
}

// CertificateIssuers is where the certificates of issuers may be fetched, at URLs that
// certificates name themselves (RFC 5280 §4.2.2.1).
type CertificateIssuers struct {
	// HostPattern and PathPattern are as in CertificateSource.
	HostPattern string `json:"hostPattern"`
	PathPattern string `json:"pathPattern"`
}

// SignedHeaders is for senders that say in the request which headers they
// signed. The variable {signed_headers} is then "name:value;name:value", names
// in lower case and sorted.
type SignedHeaders struct {
	// From is where the names are, separated by commas.
	From Location `json:"from"`
	// Required are names that must be among them.
	Required []string `json:"required,omitempty"`
}

// Condition is something that a request can satisfy. With neither Equals nor
// Pattern nor Parameter nor Absent the place must hold something.
type Condition struct {
	Location
	// Equals is what must be there.
	Equals string `json:"equals,omitempty"`
	// Pattern is a regular expression (RE2) that all of what is there must match.
	Pattern string `json:"pattern,omitempty"`
	// Parameter names a parameter; what is there must be one of its values.
	Parameter string `json:"parameter,omitempty"`
	// Optional: the condition holds where the parameter has no value.
	Optional bool `json:"optional,omitempty"`
	// Absent: there must be nothing.
	Absent bool `json:"absent,omitempty"`
}

// NeedsSecret reports whether the provider can't serve without a secret of the
// endpoint, because not all of its schemes have a source of keys.
func (p Provider) NeedsSecret() bool {
	for i := range p.Schemes {
		if p.Schemes[i].KeySource == nil {
			return true
		}
	}
	return false
}
