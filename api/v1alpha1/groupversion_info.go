// Package v1alpha1 is the API of Sallyport, group hooks.sallyport.dev.
//
// It holds the resources that people write (WebhookEndpoint, WebhookProvider, WebhookReplay)
// and the vocabulary of their conditions. It assumes nothing of the programs
// that serve them and imports none of them. What the API server can refuse it
// refuses by the bounds and CEL rules declared here, in sentences for people.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=hooks.sallyport.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SchemeGroupVersion is the group and version of every type of this package.
var SchemeGroupVersion = schema.GroupVersion{Group: "hooks.sallyport.dev", Version: "v1alpha1"}

// AddToScheme registers the types of this package with a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(SchemeGroupVersion,
		&WebhookEndpoint{}, &WebhookEndpointList{},
		&WebhookProvider{}, &WebhookProviderList{},
		&WebhookReplay{}, &WebhookReplayList{},
	)
	metav1.AddToGroupVersion(s, SchemeGroupVersion)
	return nil
}
