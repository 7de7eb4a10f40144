package system

import (
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// Who clicks on a button in Slack sees what the target answers. If the target is
// down, Slack says so and the next click counts.
func TestTheSenderGetsTheTargetsAnswer(t *testing.T) {
	const click = "payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%2212.34%22%7D"
	const reply = `{"text":"Deployed."}`
	w := newRunningWorld(t)
	e := w.newEndpoint("slack", func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Delivery = &v1alpha1.DeliverySpec{Mode: v1alpha1.DeliveryModeSync, Timeout: &metav1.Duration{Duration: 2500 * time.Millisecond}}
	})
	send := func() cluster.Answer {
		header := cluster.Slack(secretValue, time.Now(), []byte(click))
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.post(e, header, click)
	}
	w.target.Reply(reply)
	// A kept connection that is cut may have been closed at the same moment, so the request
	// is made again on a new one. Only if that is cut, too, the attempt has failed.
	w.target.React(cluster.Sequence(http.StatusInternalServerError, 0, 0, http.StatusOK))
	for _, fails := range []string{"answers 500", "cuts the connection"} {
		if answer := send(); answer.Status != http.StatusBadGateway {
			t.Fatalf("the target %s, and the sender gets %d %q, want 502", fails, answer.Status, answer.Body)
		}
	}
	answer := send()
	if answer.Status != http.StatusOK || answer.Body != reply || answer.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("the sender gets %d %q of type %q, want the target's answer", answer.Status, answer.Body, answer.Header.Get("Content-Type"))
	}
	if got := w.target.Requests.All(); len(got) != 4 || string(got[0].Body) != click || got[3].Header.Get("Sallyport-Attempt") != "1" {
		t.Errorf("the target got %v", got)
	}
	id := w.target.Requests.All()[3].EventID()
	if answer := send(); answer.Status != http.StatusOK || answer.Body != "" || len(w.target.Requests.All()) != 4 {
		t.Errorf("a duplicate is answered %d %q, want 200 without a body and no request to the target", answer.Status, answer.Body)
	}
	if record := w.awaitOutcome(audit.Delivered, id); record.StatusCode != http.StatusOK || record.Attempt != 1 || record.Target == "" {
		t.Errorf("the audit record is %+v", record)
	}
	if record := w.awaitOutcome(audit.Unavailable, id); record.StatusCode != http.StatusInternalServerError {
		t.Errorf("the audit record of the first failure is %+v", record)
	}
	w.finish(w.receiver)
	if got := len(w.target.Requests.All()); got != 4 {
		t.Errorf("the target got %d requests, want 4", got)
	}
}
