package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EventState says what has become of an event, or of one of its deliveries.
// Where deliveries differ, an event has the first of these that any of them has.
type EventState string

// The states.
const (
	// StateDeadLettered: given up, kept to be delivered again.
	StateDeadLettered EventState = "DeadLettered"
	// StateRetrying: an attempt has failed, another will be made.
	StateRetrying EventState = "Retrying"
	// StateHeld: it waits for its target, which takes nothing, or for the end of a
	// pause.
	StateHeld EventState = "Held"
	// StatePending: no attempt has failed yet.
	StatePending EventState = "Pending"
	// StateDelivered: the target has it. Its payload is gone.
	StateDelivered EventState = "Delivered"
)

// WebhookEvent is one event that was accepted. Its name is a digest of endpoint
// and event id: 48 hexadecimal digits.
//
// A list has the events that an endpoint received last, or with the field selector
// status.state=DeadLettered all that were given up. Other field selectors are
// spec.endpoint, spec.type and spec.eventID.
//
// +kubebuilder:object:root=true
type WebhookEvent struct {
	metav1.TypeMeta `json:",inline"`
	// The creation time is when the event was received.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is known of the event.
	Spec WebhookEventSpec `json:"spec"`
	// status is what has become of it.
	Status WebhookEventStatus `json:"status"`
}

// WebhookEventSpec is what is known of an event, all but its headers and body.
type WebhookEventSpec struct {
	// endpoint is the name of the WebhookEndpoint in this namespace.
	Endpoint string `json:"endpoint"`
	// provider is who sent it.
	Provider string `json:"provider,omitempty"`
	// eventID is the provider's event id, or the digest that stands for it.
	EventID string `json:"eventID"`
	// type is the provider's event type, if it has any.
	Type string `json:"type,omitempty"`
	// requestID is that of the request that brought the event.
	RequestID string `json:"requestID,omitempty"`
	// sourceIP is the address of the sender.
	SourceIP string `json:"sourceIP,omitempty"`
	// receivedTime is to the microsecond.
	ReceivedTime metav1.MicroTime `json:"receivedTime"`
	// bodyBytes is the size of the body.
	BodyBytes int64 `json:"bodyBytes"`
}

// WebhookEventStatus is what has become of an event.
type WebhookEventStatus struct {
	// state sums up the deliveries.
	State EventState `json:"state"`
	// deliveries has one entry for each target that the event goes to. It is empty
	// when all are done.
	Deliveries []DeliveryStatus `json:"deliveries,omitempty"`
}

// DeliveryStatus is what has become of a delivery.
type DeliveryStatus struct {
	// route is the name of the route whose target gets it; empty: spec.target.
	Route string `json:"route,omitempty"`
	// state of this delivery.
	State EventState `json:"state"`
	// attempts counts those made so far.
	Attempts int32 `json:"attempts,omitempty"`
	// lastError says why the last attempt failed.
	LastError string `json:"lastError,omitempty"`
	// nextAttemptTime is when it is due, or when the receiver that works on it has to be
	// done, in the states Pending and Retrying.
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`
	// deadLetteredTime is when it became a dead letter.
	DeadLetteredTime *metav1.Time `json:"deadLetteredTime,omitempty"`
}

// WebhookEventList is a list of WebhookEvent.
//
// +kubebuilder:object:root=true
type WebhookEventList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WebhookEvent `json:"items"`
}

// WebhookEventPayload is what the target gets of an event that is not delivered
// yet. It is the subresource payload of a WebhookEvent.
//
// +kubebuilder:object:root=true
type WebhookEventPayload struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// method is the HTTP method of the request.
	Method string `json:"method"`
	// url is the public URL that the request was sent to, without its query; empty if
	// that was not known.
	URL string `json:"url,omitempty"`
	// query is what followed "?", without credentials. Bytes that are not UTF-8 are
	// replaced.
	Query string `json:"query,omitempty"`
	// headers are those that the target sees; credentials are not among them. Bytes
	// that are not UTF-8 are replaced.
	Headers map[string][]string `json:"headers,omitempty"`
	// body is the raw body.
	Body []byte `json:"body"`
}

// WebhookRecord is one outcome of one request or delivery, as in the audit log:
// what happened and not what is. Its name is its place in the order of records.
//
// The last records of each endpoint are kept; a watch tells of new ones. The field
// selectors are endpoint, processingStatus and eventID.
//
// +kubebuilder:object:root=true
type WebhookRecord struct {
	metav1.TypeMeta `json:",inline"`
	// The creation time is when it happened.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// time is to the microsecond.
	Time metav1.MicroTime `json:"time"`
	// endpoint is the name of the WebhookEndpoint in this namespace.
	Endpoint string `json:"endpoint"`
	// provider, eventID, eventType and requestID are those of the event, if the
	// request brought any.
	Provider  string `json:"provider,omitempty"`
	EventID   string `json:"eventID,omitempty"`
	EventType string `json:"eventType,omitempty"`
	RequestID string `json:"requestID,omitempty"`
	// receivedTime is when the request came.
	ReceivedTime metav1.MicroTime `json:"receivedTime"`
	// signatureVerified: the request is authentic.
	SignatureVerified bool `json:"signatureVerified"`
	// processingStatus is the outcome: accepted, duplicate, rejected, delivered, ...
	ProcessingStatus string `json:"processingStatus"`
	// errorMessage says why.
	ErrorMessage string `json:"errorMessage,omitempty"`
	// sourceIP is the address of the sender.
	SourceIP string `json:"sourceIP,omitempty"`
	// bodyBytes and bodySHA256 (hexadecimal) are of the body.
	BodyBytes  int64  `json:"bodyBytes"`
	BodySHA256 string `json:"bodySHA256,omitempty"`
	// attempt counts from 1 in records of deliveries, and is 0 in those of requests.
	Attempt int32 `json:"attempt,omitempty"`
	// target of a delivery: namespace/service:port.
	Target string `json:"target,omitempty"`
	// statusCode is what the sender got, or what the target answered.
	StatusCode int32 `json:"statusCode,omitempty"`
	// durationMS is how long the request or the attempt took, in milliseconds.
	DurationMS int64 `json:"durationMS,omitempty"`
	// receiver is the pod.
	Receiver string `json:"receiver,omitempty"`
}

// WebhookRecordList is a list of WebhookRecord, the newest last.
//
// +kubebuilder:object:root=true
type WebhookRecordList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WebhookRecord `json:"items"`
}

// WebhookQueue is what an endpoint has stored, over all receivers. It has the name
// of its WebhookEndpoint.
//
// +kubebuilder:object:root=true
type WebhookQueue struct {
	metav1.TypeMeta `json:",inline"`
	// The creation time is that of the endpoint.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// pending counts deliveries that are neither done nor given up.
	Pending int64 `json:"pending"`
	// held counts those of them that wait for a target that takes nothing.
	Held int64 `json:"held"`
	// deadLetters counts deliveries that were given up.
	DeadLetters int64 `json:"deadLetters"`
	// bytes is what the events of all these take in Redis.
	Bytes int64 `json:"bytes"`
	// lastReceivedTime is when an event was last accepted, lastDeliveredTime when a target
	// last took one, lastRejectedTime when a request was last refused as not authentic.
	// They are missing if that is too long ago to be remembered.
	LastReceivedTime  *metav1.Time `json:"lastReceivedTime,omitempty"`
	LastDeliveredTime *metav1.Time `json:"lastDeliveredTime,omitempty"`
	LastRejectedTime  *metav1.Time `json:"lastRejectedTime,omitempty"`
}

// WebhookQueueList is a list of WebhookQueue.
//
// +kubebuilder:object:root=true
type WebhookQueueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WebhookQueue `json:"items"`
}
