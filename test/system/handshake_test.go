package system

import (
	"net/http"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// Slack takes a URL only after its owner has repeated a challenge.
func TestHandshakeIsAnsweredAndIsNoEvent(t *testing.T) {
	const body = `{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`
	w := newRunningWorld(t)
	e := w.newEndpoint("slack")

	answer := w.post(e, cluster.Slack(secretValue, time.Now(), []byte(body)), body)
	if answer.Status != http.StatusOK || answer.Body != "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" {
		t.Fatalf("the answer is %d %q, want the challenge", answer.Status, answer.Body)
	}
	if answer := w.post(e, cluster.Slack("another", time.Now(), []byte(body)), body); answer.Status != http.StatusUnauthorized {
		t.Errorf("a forged handshake is answered %d %q, want 401", answer.Status, answer.Body)
	}
	record, err := w.receiver.Audit.Await(w.ctx, func(r audit.Record) bool { return r.Status == audit.Handshake })
	w.must(err)
	if !record.SignatureVerified || record.Endpoint != e.String() || record.EventType != "url_verification" {
		t.Errorf("the audit record is %+v", record)
	}

	const event = `{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}`
	if answer := w.post(e, cluster.Slack(secretValue, time.Now(), []byte(event)), event); answer.Status != http.StatusOK || answer.Body != "" {
		t.Errorf("an event is answered %d %q, want 200 without a body", answer.Status, answer.Body)
	}
	w.awaitDelivery("Ev1")
	w.finish(w.receiver)
	if got := w.deliveries(); len(got) != 1 {
		t.Errorf("the target got %v, want only the event", got)
	}
}
