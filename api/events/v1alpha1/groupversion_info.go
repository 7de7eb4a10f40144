// Package v1alpha1 is the API to what Sallyport keeps of webhooks, group
// events.hooks.sallyport.dev: events, what became of them, and the queues that
// they wait in.
//
// None of it is stored in the API server. The manager answers for the group
// through the API server's aggregation layer, from Redis, so that the access to
// events is a matter of the cluster's own authorization (RBAC), like everything
// else in it. The types have no bounds of their own, because nobody writes them.
//
// +kubebuilder:object:generate=true
// +kubebuilder:skip
// +groupName=events.hooks.sallyport.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SchemeGroupVersion is the group and version of every type of this package.
var SchemeGroupVersion = schema.GroupVersion{Group: "events.hooks.sallyport.dev", Version: "v1alpha1"}

// The resources of the group; all are namespaced.
const (
	ResourceWebhookEvents  = "webhookevents"
	ResourceWebhookRecords = "webhookrecords"
	ResourceWebhookQueues  = "webhookqueues"
	// SubresourcePayload of webhookevents holds headers and body, and has a right
	// of its own: who may see that there is an event need not see what is in it.
	SubresourcePayload = "payload"
)

// AddToScheme registers the types of this package with a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(SchemeGroupVersion,
		&WebhookEvent{}, &WebhookEventList{}, &WebhookEventPayload{},
		&WebhookRecord{}, &WebhookRecordList{},
		&WebhookQueue{}, &WebhookQueueList{},
	)
	metav1.AddToGroupVersion(s, SchemeGroupVersion)
	return nil
}
