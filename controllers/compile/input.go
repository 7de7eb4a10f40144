package compile

import (
	corev1 "k8s.io/api/core/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// Input is everything that the route of an endpoint depends on.
type Input struct {
	// Endpoint is the endpoint to compile.
	Endpoint *v1alpha1.WebhookEndpoint
	// Rivals are the other endpoints of the namespace that claim the same path.
	Rivals []v1alpha1.WebhookEndpoint
	// Sender is the provider that the endpoint names; nil: there is none.
	Sender *Sender
	// Secret is what secretRef leads to.
	Secret SecretFacts
	// Service is the target Service; nil: there is none.
	Service *corev1.Service
	// Alias is the Service that has the name of the endpoint's in-cluster
	// alias, "<name>-webhook"; nil: there is none.
	Alias *corev1.Service
	// Settings are the manager's.
	Settings Settings
}

// SecretFacts is what was found behind a secretRef.
type SecretFacts struct {
	// Found: there is such a Secret.
	Found bool
	// HasKey: the Secret has the entry.
	HasKey bool
	// Value is the entry as it is stored.
	Value []byte
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
