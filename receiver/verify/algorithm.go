package verify

import (
	"crypto"
	"crypto/sha1" //nolint:gosec // some senders know nothing better
	"crypto/sha256"
	"crypto/sha512"
	"errors"
)

// key is key material that was checked and can be used.
type key interface {
	// match returns 1 if one of signatures is a signature of m, else 0. It looks
	// at all of them, whatever the first ones are.
	match(m message, signatures [][]byte) int
}

// parser makes a key of key material, or says what it expects.
type parser func(material []byte) (key, error)

// algorithms is every algorithm there is.
var algorithms = map[Algorithm]parser{
	HMACSHA1:        func(b []byte) (key, error) { return macKey{sha1.New, b}, nil },
	HMACSHA256:      func(b []byte) (key, error) { return macKey{sha256.New, b}, nil },
	HMACSHA512:      func(b []byte) (key, error) { return macKey{sha512.New, b}, nil },
	SHA256:          func([]byte) (key, error) { return hashKey{}, nil },
	Ed25519:         parseEd25519,
	ECDSAP256SHA256: parseP256,
	RSASHA1:         func(b []byte) (key, error) { return parseRSA(b, crypto.SHA1) },
	RSASHA256:       func(b []byte) (key, error) { return parseRSA(b, crypto.SHA256) },
	Token:           func(b []byte) (key, error) { return credentialKey(b), nil },
	Basic:           parseBasic,
	JSONWebToken:    parseNoKey,
}

// parseNoKey stands for algorithms with more than one key to a secret; see
// compiledToken.keysOf.
func parseNoKey([]byte) (key, error) { return nil, errors.New("it has no single key") }
