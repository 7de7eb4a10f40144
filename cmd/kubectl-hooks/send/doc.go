// Package send is the command send: it makes test webhooks, which are signed as the
// provider signs them and so pass the same verification as its own, and sends them.
//
//	command.go  the flags, and the steps
//	content.go  body and headers: those of the flags, or of a sample
//	sample.go   a body and headers to start from: an example of the provider
//	keys.go     what to sign with: from files, or from the endpoint's Secret
//	build.go    the request, signed
//	do.go       send it, and read the answer
//	view.go     the request for people, without the secret
//	curl.go     the request as a command of curl
//	answer.go   the answer for people, and what to do about it
//
// Signing itself is receiver/verify's (Verifier.Sign), from the same compiled
// scheme that receivers verify with. This package reads what it needs from the
// WebhookProvider and the WebhookEndpoint, and makes up what nobody gave: the id
// of the event.
//
// It assumes that the caller got provider and endpoint from the cluster. It promises
// that what Build returns would be accepted by a receiver that knows the same
// secrets, at Options.Now; that errors say what to do next; that no output contains a
// secret or a key; and that no error contains one, or any of the body.
package send
