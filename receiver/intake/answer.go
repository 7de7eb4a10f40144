package intake

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"

	"sallyport.dev/sallyport/receiver/audit"
)

// headerRequestID names the request in every answer.
const headerRequestID = "X-Request-Id"

// defaultContentType is the type of a fixed text.
const defaultContentType = "text/plain"

// ack is the answer to an event that is stored, or that no route wants.
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

// reasonContentReplayed is for signed content that came again under another id.
const reasonContentReplayed = "content-replayed"

// answer writes the one answer of x and keeps its status for the audit.
func (x *exchange) answer(err error) {
	switch {
	case err != nil:
		rejected := asReject(err)
		x.status, x.outcome, x.err = rejected.status, rejected.outcome(), rejected
		rejected.setHeaders(x.w.Header())
		x.prepareRefusal()
		x.refuse(rejected.reason)
	case x.handshake != nil:
		x.outcome = audit.Handshake
		maps.Copy(x.w.Header(), x.handshake.Header)
		x.status = x.handshake.Status
		x.write(x.handshake.Header.Get("Content-Type"), x.handshake.Body)
	case x.outcome == audit.Delivered:
		x.passOn()
	case x.entry.Route.Responses.Success != nil:
		success := x.entry.Route.Responses.Success
		x.status = success.Status
		x.write(success.ContentType, []byte(success.Body))
	default:
		x.status = http.StatusOK
		x.writeJSON(ack{Status: x.outcome, Reason: x.reason, EventID: x.meta.ID, RequestID: x.meta.RequestID})
	}
}

// refuse writes the reason, unless the provider wants an empty body.
func (x *exchange) refuse(reason string) {
	if x.entry != nil && x.entry.Route.Responses.EmptyRefusals {
		x.write("", nil)
		return
	}
	x.writeJSON(refusal{Error: reason, RequestID: x.meta.RequestID})
}

// writeJSON sends body as JSON.
func (x *exchange) writeJSON(body any) {
	text, err := json.Marshal(body)
	if err != nil {
		x.status, text = http.StatusInternalServerError, []byte("{}")
	}
	x.write("application/json", text)
}

// write sends body. An error means that the sender is gone. The event stays stored,
// and the sender learns that when it sends the event again.
//
// A body may repeat what a sender wrote, as the answers to handshakes do. So it
// always has a type, which neither we nor a browser may guess.
func (x *exchange) write(contentType string, body []byte) {
	header := x.w.Header()
	if len(body) > 0 {
		header.Set("Content-Type", cmp.Or(contentType, defaultContentType))
	}
	if x.status != http.StatusNoContent { // which has no length, RFC 9110 §8.6
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set(headerRequestID, x.meta.RequestID)
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(body) // net/http drops the body where the method is HEAD
}
