package store

import (
	"net/http"
	"time"
)

// Event is one verified webhook, as it is stored and as it is handed to a
// target. Treat an Event and all it refers to as read-only once it was given to
// the store or came out of it: several deliveries may share it.
type Event struct {
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
	// TraceParent is the W3C traceparent header to continue; may be empty.
	TraceParent string
	// ReceivedAt is kept to the nanosecond.
	ReceivedAt time.Time
	// Method is the HTTP method of the request.
	Method string
	// Header holds what the target may see: the handler has removed credentials.
	// Values are kept byte for byte, valid UTF-8 or not.
	Header http.Header
	// Body is the raw body.
	Body []byte
}
