package audit

import (
	"time"

	"sallyport.dev/sallyport/receiver/event"
)

// Status is the outcome that a Record reports: processing_status.
type Status string

// The outcomes of a request and of a delivery.
const (
	Accepted       Status = "accepted"        // verified and stored; the sender got its 2xx
	Duplicate      Status = "duplicate"       // stored before; the sender got its 2xx
	Rejected       Status = "rejected"        // the sender's fault: 4xx
	Handshake      Status = "handshake"       // a provider's handshake was answered
	Ignored        Status = "ignored"         // verified, but no route wants it
	Unavailable    Status = "unavailable"     // our fault: 503, the sender is to retry
	Delivered      Status = "delivered"       // the target answered 2xx
	RetryScheduled Status = "retry_scheduled" // an attempt failed, another will be made
	DeadLettered   Status = "dead_lettered"   // out of attempts; kept
	Replayed       Status = "replayed"        // a person revived a dead letter: it is delivered again
	Purged         Status = "purged"          // a person removed a dead letter
	Expired        Status = "expired"         // a dead letter was removed because of its age
)

// Record is one line of the audit log: one outcome of one request or delivery. The
// order of its fields is that of the line, which is why it repeats those of
// event.Meta. It never holds bodies, signatures or secrets.
type Record struct {
	Time              time.Time `json:"time"`
	Endpoint          string    `json:"endpoint"` // namespace/name; empty when no route matched the path
	EndpointUID       string    `json:"-"`        // for the Kubernetes Event
	Provider          string    `json:"provider"`
	EventID           string    `json:"event_id"`
	EventType         string    `json:"event_type"`
	ReceivedAt        time.Time `json:"received_at"`
	SignatureVerified bool      `json:"signature_verified"`
	RequestID         string    `json:"request_id"`
	Status            Status    `json:"processing_status"`
	ErrorMessage      string    `json:"error_message"`
	SourceIP          string    `json:"source_ip"`
	BodyBytes         int64     `json:"body_bytes"`
	BodySHA256        string    `json:"body_sha256"` // hex; empty for a request that was not found authentic
	Attempt           int       `json:"attempt"`     // 0 for a request, from 1 for a delivery
	Target            string    `json:"target"`      // namespace/service:port of a delivery
	StatusCode        int       `json:"status_code"` // answered to the sender, or by the target
	DurationMS        float64   `json:"duration_ms"`
	Receiver          string    `json:"receiver"`

	// Relayed: the request was handed to the target while its sender waited. The record
	// is the outcome of both.
	Relayed bool `json:"-"`
	// BodyRead: the request was read to its end.
	BodyRead bool `json:"-"`
}

// Of returns the record of an outcome of an event that is or was stored, and so was
// verified.
func Of(e event.Meta, status Status, at time.Time) Record {
	return Record{
		Time: at, Endpoint: e.Endpoint, EndpointUID: e.EndpointUID, Provider: e.Provider, EventID: e.ID, EventType: e.Type,
		ReceivedAt: e.ReceivedAt, SignatureVerified: true, RequestID: e.RequestID, Status: status, SourceIP: e.SourceIP,
		BodyBytes: e.BodyBytes, BodySHA256: e.BodySHA256,
	}
}

// isOfStranger reports whether anybody may have caused the record: it is of a request that
// was not found authentic. Such records are kept apart from the others, and are the first
// to be left out, because strangers can send any number of requests.
func (r *Record) isOfStranger() bool { return !r.SignatureVerified && r.isOfRequest() }

// isOfRequest reports whether the record is the outcome of a request.
func (r *Record) isOfRequest() bool {
	switch r.Status {
	case Replayed, Purged, Expired:
		return false
	default:
		return r.Attempt == 0 || r.Relayed
	}
}

// Sink takes records. Record never blocks and never fails: records that can't be
// written are counted.
type Sink interface{ Record(Record) }
