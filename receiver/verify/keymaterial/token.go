package keymaterial

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxTokenKeys bounds a JWK Set: each key costs a signature that is verified.
const maxTokenKeys = 32

// TokenKey is a key that JSON Web Tokens may be signed with.
type TokenKey struct {
	ID  string // empty: for tokens of any key id
	Key any    // what go-jose verifies with
}

// sharedSecret is the key of HS256. The library's own refuses keys that are
// shorter than 32 bytes (RFC 7518 §3.2), which senders hand out nevertheless.
type sharedSecret []byte

// VerifyPayload implements jose.OpaqueVerifier.
func (k sharedSecret) VerifyPayload(payload, signature []byte, algorithm jose.SignatureAlgorithm) error {
	if algorithm != jose.HS256 || (macKey{sha256.New, k}).Match(Message{Head: payload}, [][]byte{signature}) != 1 {
		return errors.New("the signature is wrong")
	}
	return nil
}

// TokenKeys reads the keys for tokens that are signed by one of algorithms: the bytes
// of a shared secret for HS256, else public keys as PEM, as a JWK or as a JWK Set
// (RFC 7517).
func TokenKeys(material []byte, algorithms []jose.SignatureAlgorithm) ([]TokenKey, error) {
	if algorithms[0] == jose.HS256 {
		if bytes.HasPrefix(bytes.TrimSpace(material), []byte("-----BEGIN ")) {
			return nil, errors.New("it must be the secret that is shared with the sender, not a key pair's key as PEM")
		}
		return []TokenKey{{Key: sharedSecret(material)}}, nil
	}
	public, err := PublicKeys(material)
	if err != nil {
		return nil, err
	}
	var keys []TokenKey
	for _, k := range public {
		if slices.Contains(algorithms, AlgorithmOf(k.Key)) {
			keys = append(keys, TokenKey{ID: k.KeyID, Key: k.Key})
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("it must have a public key for %s", Describe(algorithms))
	}
	return keys, nil
}

// PublicKeys reads the public keys that tokens can be verified with. Of a JWK
// Set, others are skipped (RFC 7517 §5).
func PublicKeys(document []byte) ([]jose.JSONWebKey, error) {
	document = bytes.TrimSpace(document)
	if len(document) == 0 || document[0] != '{' {
		public, err := parsePublic(document)
		if err != nil || AlgorithmOf(public) == "" {
			return nil, errNoPublicKey
		}
		return []jose.JSONWebKey{{Key: public}}, nil
	}
	var set struct {
		Type string            `json:"kty"` // of a single key
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, errNoPublicKey
	}
	if set.Type != "" {
		set.Keys = []json.RawMessage{document}
	}
	if len(set.Keys) > maxTokenKeys {
		return nil, fmt.Errorf("there are %d keys: there may be at most %d", len(set.Keys), maxTokenKeys)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		if k, ok := publicKey(text); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errNoPublicKey
	}
	return keys, nil
}

var errNoPublicKey = errors.New("it must have an RSA public key of at least 2048 bits, or a public key on the curve P-256, " +
	"as PEM, as a JWK or as a JWK Set")

// publicKey reads a JWK. ok is false for a key that serves something else.
func publicKey(text []byte) (k jose.JSONWebKey, ok bool) {
	if err := json.Unmarshal(text, &k); err != nil {
		return k, false
	}
	algorithm := AlgorithmOf(k.Key)
	ok = algorithm != "" && (k.Use == "" || k.Use == "sig") && (k.Algorithm == "" || k.Algorithm == string(algorithm))
	return jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID}, ok
}

// AlgorithmOf is the one algorithm that a public key is used with; empty: none.
func AlgorithmOf(public any) jose.SignatureAlgorithm {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSABits {
			return jose.RS256
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256
		}
	}
	return ""
}

// Describe names algorithms of tokens for people.
func Describe(algorithms []jose.SignatureAlgorithm) string {
	names := make([]string, len(algorithms))
	for i, algorithm := range algorithms {
		names[i] = string(algorithm)
	}
	return strings.Join(names, " or ")
}
