// Package event has what every part of the data plane says of an event: the store
// keeps it, targets are told of it, and the audit log names it.
//
// It assumes nothing about where an event comes from, and nothing in it is secret.
package event

import "time"

// Meta is what is known of an event beside what its sender wrote. What is not known
// stays zero: of a request that was refused, it is as much as was found out.
type Meta struct {
	// Endpoint is "namespace/name". Endpoint and ID together identify the event.
	Endpoint string
	// EndpointUID is the UID of the WebhookEndpoint, for Kubernetes Events.
	EndpointUID string
	// Provider names the sender.
	Provider string
	// ID is the provider's event id, or the digest that stands for it.
	ID string
	// Type is the provider's event type; may be empty.
	Type string
	// RequestID is the id of the request that brought the event.
	RequestID string
	// SourceIP is the address of the sender.
	SourceIP string
	// ReceivedAt is kept to the nanosecond.
	ReceivedAt time.Time
	// BodyBytes is the size of the raw body.
	BodyBytes int64
	// BodySHA256 is the digest of the raw body, in hex; empty for a request that was not
	// found authentic, and where an event is looked up without its body.
	BodySHA256 string
}
