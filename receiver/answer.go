package receiver

import (
	"encoding/json"
	"net/http"
	"strconv"

	"sallyport.dev/sallyport/receiver/audit"
)

// Headers of every answer.
const headerRequestID = "X-Request-Id"

// ack is the answer to an event that is stored.
type ack struct {
	Status    audit.Status `json:"status"`
	Reason    string       `json:"reason,omitempty"`
	EventID   string       `json:"eventId"`
	RequestID string       `json:"requestId"`
}

// refusal is the answer to everything else.
type refusal struct {
	Error     string `json:"error"`
	RequestID string `json:"requestId"`
}

// reasonContentReplayed says that signed content came again under another id.
const reasonContentReplayed = "content-replayed"

// answer writes the one answer of x and notes its status.
func (x *exchange) answer(err error) {
	if err == nil {
		x.status = http.StatusOK
		x.write(ack{Status: x.outcome, Reason: x.reason, EventID: x.event.ID, RequestID: x.requestID})
		return
	}
	rejected := asReject(err)
	x.status, x.outcome, x.err = rejected.status, rejected.outcome(), rejected
	rejected.setHeaders(x.w.Header())
	x.write(refusal{Error: rejected.reason, RequestID: x.requestID})
}

// write sends body as JSON. An error means that the sender is gone; what was
// stored stays stored, and the sender will be told so when it sends again.
func (x *exchange) write(body any) {
	text, err := json.Marshal(body)
	if err != nil {
		x.status, text = http.StatusInternalServerError, []byte("{}")
	}
	header := x.w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set(headerRequestID, x.requestID)
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(text)
}
