package verify

import (
	"crypto"
	"crypto/sha1" //nolint:gosec // some senders know nothing better
	"crypto/sha256"
	"crypto/sha512"
	"errors"

	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// algorithms is every algorithm there is.
var algorithms = map[Algorithm]keymaterial.Parser{
	HMACSHA1:        keymaterial.HMAC(sha1.New),
	HMACSHA256:      keymaterial.HMAC(sha256.New),
	HMACSHA512:      keymaterial.HMAC(sha512.New),
	SHA256:          keymaterial.InMessage,
	Ed25519:         keymaterial.Ed25519,
	ECDSAP256SHA256: keymaterial.P256,
	RSASHA1:         keymaterial.RSA(crypto.SHA1),
	RSASHA256:       keymaterial.RSA(crypto.SHA256),
	Token:           keymaterial.Credential,
	Basic:           keymaterial.UserPassword,
	// A secret may have several keys for tokens; see compiledToken.keysOf.
	JSONWebToken: func([]byte) (keymaterial.Key, error) { return nil, errors.New("it has no single key") },
}
