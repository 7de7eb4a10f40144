// Package verify decides whether a webhook is authentic, and says which event
// it is.
//
// A sender is data: a [Provider] (provider.go) lists [Scheme]s in a closed vocabulary
// (scheme.go, keysource.go, handshake.go, material.go), bounded by limits.go. [Compile]
// checks it (compile.go, compile_scheme.go, compile_keys.go, compile_handshake.go) and
// turns it into a [Verifier] once; a [Verifier] then judges requests, concurrently and
// without side effects. The life of one request:
//
//	answer.go     answer it, if it is a handshake that the sender doesn't sign
//	verifier.go   choose the one scheme that judges (condition.go), and judge
//	request.go    read headers, query, form and JSON members, each at most once, and
//	              only what the provider has a place for (place.go, places.go, form.go,
//	              coding.go, package document)
//	grammar.go    take the header apart into candidate signatures (encoding.go)
//	key.go        turn each secret into a key, or take those that were made ready when
//	              the route changed (prepare.go); or take the keys that were fetched
//	              (fetch.go), or a certificate (certificate.go, urlpattern.go)
//	template.go   write down what was signed (variable.go, members.go, signedheaders.go,
//	              urlform.go, message.go)
//	match.go      compare every candidate with every key (algorithm.go, package keymaterial)
//	jwt.go        or, where the signature is a token, verify that
//	timestamp.go  only then: is it of now?
//	answer.go     answer it, if it is a handshake that the sender signs
//	identify.go   only then: which event is it? (types.go, decode.go)
//	rejection.go  or else: why not
//
// What Compile finds out about a provider before it judges anything:
//
//	oracle.go      no answer to a handshake passes for an event
//	border.go      where bytes could move between the body and what is beside it
//	coverage.go    what the signature leaves out
//	credential.go  where a request carries the secret itself
//
// The signer goes the same way in the other direction. It makes test webhooks
// ([Verifier.Sign]) and fresh signatures ([Verifier.Resign]). It reads nearly all of a
// compiled scheme, so it lives here rather than in a package for which 150 names would
// have to be exported; but nothing else here uses it, and .golangci.yml keeps it from
// the packages that take requests in:
//
//	sign.go       the steps, and a last one that verifies the result
//	sign_key.go   what signs: a secret or a private key
//	sign_event.go give the event its id and its type
//	sign_token.go write a token
//	sign_place.go write into headers, query, form and JSON
//	resign.go     sign a request anew that was verified, for a target that checks it again
//
// It assumes that Request.Body holds the bytes as they came, that the header
// was parsed by net/http (canonical names), and that the caller bounded the
// size of both. It reads no clock, no network and no log: what it needs to know
// comes as arguments. The one exception are the authorities of the system, which
// crypto/x509 reads once if Material.Roots is nil.
//
// It promises that a request is verified by exactly one scheme, chosen by what
// is present and never by what would succeed; that the algorithm is the
// provider's, never the sender's; that an empty key verifies nothing; that
// comparisons with a secret take the same time wherever the two differ; that no
// error text contains a secret, a signature or any of the body; and that no
// stranger can make it sign an answer that would pass for an event.
package verify
