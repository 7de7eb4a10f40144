// Package keymaterial makes keys of bytes: what verifies signatures and, for tests
// and fresh signatures, what makes them.
//
//	key.go          what all keys can do
//	message.go      what was signed
//	steps.go        from a secret, as people paste it, to the bytes of a key
//	shared.go       HMACs, plain hashes, and secrets that are sent as they are
//	public.go       public keys: Ed25519, ECDSA, RSA
//	private.go      the private keys that belong to them
//	token.go        keys of JSON Web Tokens: shared secrets, PEM, JWK, JWK Set
//	certificate.go  certificates, and chains of them
//
// It knows neither requests nor providers, and takes time and roots of trust as
// arguments.
//
// It promises that a comparison with a secret takes the same time wherever the two
// differ, that all signatures are looked at whatever the first ones are, that a weak
// public key (RSA below 2048 bits, another curve than P-256) is refused, and that no
// error contains any of the material.
package keymaterial
