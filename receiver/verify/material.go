package verify

import (
	"crypto/x509"

	"sallyport.dev/sallyport/receiver/secret"
)

// Material is what the requests of one endpoint are verified with. The zero
// value verifies nothing. It is read-only while it is in use.
type Material struct {
	// Secrets are the secrets as they are configured, newest first.
	Secrets []secret.Value
	// Fetched are the public keys that were fetched for the schemes with a
	// KeySource, by the source's URL: a JWK Set (RFC 7517) or a PEM public key.
	Fetched map[string][]byte
	// Keys are those of Secrets and Fetched, made ready by Verifier.Prepare; nil, or for
	// what is missing there: they are made ready for each request.
	Keys *Keys
	// Certificate is the chain that the request names (see
	// Verifier.Certificate), as PEM, leaf first; nil: not fetched.
	Certificate []byte
	// Roots are the authorities that Certificate must lead to; nil: those of the
	// system.
	Roots *x509.CertPool
	// Parameters are the values of the provider's parameters.
	Parameters Parameters
}

// Parameters are values that an endpoint gives to the parameters of its
// provider, by name. They are kept from printing because some are secret.
type Parameters map[string][]secret.Value

// Parameter is what a provider asks of an endpoint beside the secret, for
// example the topics that may send. Templates and conditions use it by name.
type Parameter struct {
	// Name is how the provider's templates call it.
	Name string `json:"name"`
	// Required: the provider can't serve without it.
	Required bool `json:"required,omitempty"`
	// Sensitive: the value is a secret, from an entry of the endpoint's Secret.
	Sensitive bool `json:"sensitive,omitempty"`
}
