package compile

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
)

// resolveSender says what is wrong with the provider that the endpoint names.
// The Sender that it returns is never nil; it is empty if it must not be used.
func resolveSender(endpoint *v1alpha1.WebhookEndpoint, sender *provider.Sender, publicURL string) (*provider.Sender, Problems) {
	name := endpoint.Spec.Provider
	switch {
	case sender == nil:
		return &provider.Sender{}, problem(v1alpha1.ReasonProviderNotFound,
			"There is no WebhookProvider and no built-in preset called %q: `kubectl get webhookproviders` lists what there is.", name)
	case sender.Problem != "":
		return &provider.Sender{}, problem(v1alpha1.ReasonProviderNotVerified,
			"The WebhookProvider %q does not serve: %s", name, sender.Problem)
	case sender.NeedsURL && publicURL == "":
		return sender, problem(v1alpha1.ReasonPublicURLUnknown,
			"The provider %q signs the URL that it was given, and that is not known: start the manager with --public-url.", name)
	}
	return sender, nil
}

// alias makes the in-cluster Service, unless somebody else has a Service of that name.
func alias(in Input) (*Alias, Problems) {
	name := route.ServiceName(in.Endpoint.Name)
	if in.Alias != nil && !metav1.IsControlledBy(in.Alias, in.Endpoint) {
		return nil, problem(v1alpha1.ReasonServiceConflict,
			"There is a Service %q that does not belong to this endpoint and is left alone: senders inside the cluster can't use that name. Rename one of the two.", name)
	}
	return &Alias{Name: name, Host: in.Settings.ReceiverHost}, nil
}
