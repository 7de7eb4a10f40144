// Package verify decides whether a webhook is authentic, and says which event
// it is.
//
// A sender is data: a [Provider] lists [Scheme]s in a closed vocabulary
// (scheme.go). [Compile] checks it (compile.go, compile_scheme.go, compile_keys.go,
// compile_handshake.go) and turns it into a [Verifier] once; a
// [Verifier] then judges requests, concurrently and without side effects.
// The life of one request:
//
//	answer.go     answer it, if it is a handshake that the sender doesn't sign
//	verifier.go   choose the one scheme that judges (condition.go), and judge
//	request.go    read headers, query, form and JSON members, each at most once, and
//	              only what the provider has a place for (places.go, form.go,
//	              coding.go, package document)
//	grammar.go    take the header apart into candidate signatures (encoding.go)
//	key.go        turn each secret into key material, or take what was made ready
//	              when the route changed (prepare.go); or take the keys that were
//	              fetched (fetch.go), or a certificate (certificate.go, chain.go)
//	template.go   write down what was signed (variable.go, members.go, signedheaders.go)
//	algorithm.go  compare every candidate with every key (mac.go, publickey.go, credential.go)
//	jwt.go        or, where the signature is a token, verify that (jwk.go)
//	timestamp.go  only then: is it of now?
//	answer.go     answer it, if it is a handshake that the sender signs
//	identify.go   only then: which event is it? (types.go, decode.go, xml.go)
//
// What is said of a provider before it judges anything:
//
//	oracle.go     no answer to a handshake passes for an event
//	border.go     where bytes of the body could move to what is beside it
//	coverage.go   what the signature leaves out
//
// Verifier.Sign goes the same way in the other direction, for test webhooks:
//
//	sign.go       the steps, and a last one that verifies what came of them
//	sign_key.go   what signs: a secret or a private key
//	sign_event.go give the event its id and its type
//	sign_token.go write a token
//	sign_place.go write into headers, query, form and JSON
//	resign.go     sign anew what was verified, for a target that checks it again
//
// It assumes that Request.Body holds the bytes as they came, that the header
// was parsed by net/http (canonical names), and that the caller bounded the
// size of both. It reads no clock, no network and no log: what it needs to know
// comes as arguments, but for the authorities of the system, which crypto/x509
// reads once if Material.Roots is nil.
//
// It promises that a request is verified by exactly one scheme, chosen by what
// is present and never by what would succeed; that the algorithm is the
// provider's, never the sender's; that an empty key verifies nothing; that no
// comparison with a secret tells by its duration where the two differ; that no
// error text contains a secret, a signature or any of the body; and that nobody
// can have an answer signed that would pass for an event.
package verify
