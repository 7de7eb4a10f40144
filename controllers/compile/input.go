package compile

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// Input is everything that the route of an endpoint depends on.
type Input struct {
	// Endpoint is the endpoint to compile.
	Endpoint *v1alpha1.WebhookEndpoint
	// Rivals are the other endpoints of the namespace that claim the same path.
	Rivals []v1alpha1.WebhookEndpoint
	// Quota is what is allowed in the namespace, and Older how many of its endpoints
	// precede this one.
	Quota Quota
	Older int
	// Sender is the provider that the endpoint names; nil: there is no such provider.
	Sender *provider.Sender
	// Secret is what secretRef leads to; empty if there is no secretRef.
	Secret SecretFacts
	// Fetched is what is known of the documents that KeySources names.
	Fetched map[verify.FetchSource]Document
	// Services are those of TargetServices that there are, by their names.
	Services map[string]*corev1.Service
	// Authorities are the ConfigMaps of AuthorityNames that there are, by their names.
	Authorities map[string]*corev1.ConfigMap
	// Signing are the Secrets of SigningEntries, by their names.
	Signing map[string]SecretFacts
	// Alias is the Service that has the name of the endpoint's in-cluster
	// alias, "<name>-webhook"; nil: there is no such Service.
	Alias *corev1.Service
	// Settings are the manager's.
	Settings Settings
	// Now is the time by which previous secrets are judged.
	Now time.Time
	// Published is the route as it is published now, which remembers previous
	// secrets; nil: there is none that could be read, or it isn't as the manager
	// wrote it.
	Published *route.Route
}

// SecretFacts is what was found behind a secretRef or signingSecretRef.
type SecretFacts struct {
	// Found: there is such a Secret.
	Found bool
	// Entries are those that SecretEntries or SigningEntries names, as they are stored.
	Entries map[string][]byte
}

// Document is what is known of a document that the manager fetches. The zero
// value is one that is being fetched for the first time.
type Document struct {
	// Keys are those of the last document that held any; nil: none did.
	Keys []byte
	// Problem says why the last attempt failed; empty: it didn't, or there was none.
	Problem string
}

// Settings are the flags of the manager that routes depend on.
type Settings struct {
	// PublicURL is scheme and host under which providers reach the receivers,
	// without a slash at the end; empty: not known.
	PublicURL string
	// ReceiverHost is the DNS name of the receivers' Service.
	ReceiverHost string
	// AllowExternalName lets targets be Services of type ExternalName.
	AllowExternalName bool
}
