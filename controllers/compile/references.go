package compile

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// resolveSender says what is wrong with the provider that the endpoint names.
// The Sender that it returns is never nil; it is empty if it must not be used.
func resolveSender(endpoint *v1alpha1.WebhookEndpoint, sender *Sender, publicURL string) (*Sender, Problems) {
	name := endpoint.Spec.Provider
	switch {
	case sender == nil:
		return &Sender{}, Problems{{v1alpha1.ReasonProviderNotFound, fmt.Sprintf(
			"There is no WebhookProvider and no built-in preset called %q: `kubectl get webhookproviders` lists what there is.", name)}}
	case sender.Problem != "":
		return &Sender{}, Problems{{v1alpha1.ReasonProviderNotVerified, fmt.Sprintf(
			"The WebhookProvider %q does not serve: %s", name, sender.Problem)}}
	case sender.NeedsURL && publicURL == "":
		return sender, Problems{{v1alpha1.ReasonPublicURLUnknown, fmt.Sprintf(
			"The provider %q signs the URL that it was given, and that is not known: start the manager with --public-url.", name)}}
	}
	return sender, nil
}

// resolveTarget makes the target of the route. If the Service can't be used,
// the target says so, and events wait for it.
func resolveTarget(endpoint *v1alpha1.WebhookEndpoint, service *corev1.Service, allowExternalName bool) (route.Target, Problems) {
	want := endpoint.Spec.Target.Service
	target := route.Target{
		Namespace: endpoint.Namespace,
		Service:   want.Name,
		Port:      int32(want.Port.IntValue()),
		Scheme:    want.Scheme,
		Path:      want.Path,
	}
	fail := func(reason, format string, args ...any) (route.Target, Problems) {
		target.Unresolved = fmt.Sprintf(format, args...)
		return target, Problems{{reason, target.Unresolved}}
	}
	switch {
	case service == nil:
		return fail(v1alpha1.ReasonTargetNotFound,
			"There is no Service %q in this namespace: events are accepted and kept until it appears.", want.Name)
	case service.Spec.Type == corev1.ServiceTypeExternalName && !allowExternalName:
		return fail(v1alpha1.ReasonTargetNotAllowed,
			"The Service %q is of type ExternalName, which may lead out of the cluster and is not allowed as a target: events are kept.", want.Name)
	case service.Spec.Type == corev1.ServiceTypeExternalName && want.Port.Type == intstr.Int:
		return target, nil
	}
	for _, port := range service.Spec.Ports {
		if matches(want.Port, port) {
			target.Port = port.Port
			return target, nil
		}
	}
	return fail(v1alpha1.ReasonTargetPortNotFound,
		"The Service %q has no TCP port %s: events are accepted and kept until it has.", want.Name, want.Port.String())
}

func matches(want intstr.IntOrString, port corev1.ServicePort) bool {
	if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP {
		return false
	}
	if want.Type == intstr.String {
		return port.Name == want.StrVal
	}
	return port.Port == want.IntVal
}

// alias makes the in-cluster Service, unless its name is somebody else's.
func alias(in Input) (*Alias, Problems) {
	name := route.ServiceName(in.Endpoint.Name)
	if in.Alias != nil && !metav1.IsControlledBy(in.Alias, in.Endpoint) {
		return nil, Problems{{v1alpha1.ReasonServiceConflict, fmt.Sprintf(
			"There is a Service %q that does not belong to this endpoint and is left alone: senders inside the cluster can't use that name. Rename one of the two.", name)}}
	}
	return &Alias{Name: name, Host: in.Settings.ReceiverHost}, nil
}
