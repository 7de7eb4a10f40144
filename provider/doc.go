// Package provider says what a sender is: it makes of a WebhookProvider what
// endpoints are compiled from and what requests are verified with.
//
//	presets.go    the WebhookProviders that come with this build
//	provider.go   Compile: a WebhookProvider becomes a Sender, or a sentence that says what is wrong
//	translate.go  the provider in the words of the verifier
//	retries.go    whether the sender's own retries would be accepted
//	example.go    the provider's examples, which are run before it serves
//	secret.go     what the text in a Secret is: one secret, or several
//
// Apart from the presets, which are embedded, it is a pure function of values: it
// reads no clock, makes no call and logs nothing. The manager, the kubectl plugin
// and the generator of the documentation share it.
package provider
