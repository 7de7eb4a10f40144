// Package send makes test webhooks: requests that are signed as the provider
// signs them, and so pass the same verification as its own.
//
//	sample.go  a body and headers to start from: an example of the provider
//	build.go   the request, signed
//	do.go      send it, and read the answer
//
// Signing itself is receiver/verify's (Verifier.Sign), from the same compiled
// scheme that receivers verify with. This package reads what it needs from the
// WebhookProvider and the WebhookEndpoint, and makes up what nobody gave: the id
// of the event.
//
// It assumes that the caller got provider, endpoint and Secret from the cluster.
// It promises that what Build returns would be accepted by a receiver that knows
// the same secrets, at Options.Now; that errors say what to do next; and that no
// error contains a secret, a key or any of the body.
package send
