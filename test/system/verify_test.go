package system

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

func TestSignedWebhookIsAcceptedRecordedAndDelivered(t *testing.T) {
	const stripeBody = `{"id":"evt_1","type":"invoice.paid"}`
	for _, test := range []struct {
		provider  string
		header    http.Header
		body      string
		eventID   string
		eventType string
	}{
		{"github", cluster.GitHub(secretValue, "push", "delivery-1", []byte(`{"ref":"main"}`)), `{"ref":"main"}`, "delivery-1", "push"},
		{"stripe", cluster.Stripe(secretValue, time.Now(), []byte(stripeBody)), stripeBody, "evt_1", "invoice.paid"},
	} {
		t.Run(test.provider, func(t *testing.T) {
			w := newRunningWorld(t)
			e := w.newEndpoint(test.provider)

			answer := w.expectAcknowledged(w.post(e, test.header, test.body), "accepted", test.eventID)

			got := w.awaitDelivery(test.eventID)
			for name, want := range map[string]string{
				"Sallyport-Event-Id": test.eventID, "Sallyport-Event-Type": test.eventType,
				"Sallyport-Provider": test.provider, "Sallyport-Endpoint": e.String(),
				"Sallyport-Attempt": "1", "Sallyport-Request-Id": answer.RequestID,
				"User-Agent": test.header.Get("User-Agent"), "Content-Type": test.header.Get("Content-Type"),
			} {
				if have := got.Header.Get(name); have != want {
					t.Errorf("the target got %s: %q, want %q", name, have, want)
				}
			}
			if _, err := time.Parse(time.RFC3339Nano, got.Header.Get("Sallyport-Received-At")); err != nil {
				t.Errorf("Sallyport-Received-At is no RFC 3339 time: %v", err)
			}
			if got.Method != http.MethodPost || got.Path != "/in" || string(got.Body) != test.body {
				t.Errorf("the target got %s %s %q, want POST /in %q", got.Method, got.Path, got.Body, test.body)
			}

			sum := sha256.Sum256([]byte(test.body))
			for _, status := range []audit.Status{audit.Accepted, audit.Delivered} {
				record := w.awaitOutcome(status, test.eventID)
				if !record.SignatureVerified || record.Endpoint != e.String() || record.RequestID != answer.RequestID ||
					record.BodySHA256 != hex.EncodeToString(sum[:]) || record.StatusCode != http.StatusOK {
					t.Errorf("the audit record of %q is %+v", status, record)
				}
			}
		})
	}
}

func TestWebhookThatIsNotAuthenticIsRejected(t *testing.T) {
	w := newRunningWorld(t)
	github, stripe := w.newEndpoint("github"), w.newEndpoint("stripe")
	const body, stripeBody = `{"a":1}`, `{"id":"evt_1","type":"invoice.paid"}`
	githubHeader := func(change func(http.Header)) http.Header {
		header := cluster.GitHub(secretValue, "push", "delivery-1", []byte(body))
		change(header)
		return header
	}
	sent := 0
	for name, test := range map[string]struct {
		to     endpoint
		header http.Header
		body   string
		want   int
	}{
		"another secret":         {github, cluster.GitHub("another", "push", "1", []byte(body)), body, 401},
		"another body":           {github, cluster.GitHub(secretValue, "push", "1", []byte(body)), `{"a":2}`, 401},
		"a body with one more":   {github, cluster.GitHub(secretValue, "push", "1", []byte(body)), body + "\n", 401},
		"no signature":           {github, githubHeader(func(h http.Header) { h.Del("X-Hub-Signature-256") }), body, 400},
		"an empty signature":     {github, githubHeader(func(h http.Header) { h.Set("X-Hub-Signature-256", "") }), body, 400},
		"a malformed signature":  {github, githubHeader(func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256=xyz") }), body, 400},
		"no delivery id":         {github, githubHeader(func(h http.Header) { h.Del("X-GitHub-Delivery") }), body, 400},
		"Stripe: another secret": {stripe, cluster.Stripe("another", time.Now(), []byte(stripeBody)), stripeBody, 401},
		"Stripe: an old time":    {stripe, cluster.Stripe(secretValue, time.Now().Add(-time.Hour), []byte(stripeBody)), stripeBody, 401},
		"Stripe: a future time":  {stripe, cluster.Stripe(secretValue, time.Now().Add(time.Hour), []byte(stripeBody)), stripeBody, 401},
		"Stripe: no signature":   {stripe, http.Header{}, stripeBody, 400},
		"Stripe: no event id":    {stripe, cluster.Stripe(secretValue, time.Now(), []byte(`{"type":"x"}`)), `{"type":"x"}`, 400},
		"Stripe: not JSON":       {stripe, cluster.Stripe(secretValue, time.Now(), []byte(`{"id":`)), `{"id":`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			answer := w.post(test.to, test.header, test.body)
			if answer.Status != test.want {
				t.Errorf("the answer is %d %q, want %d", answer.Status, answer.Body, test.want)
			}
			sent++
		})
	}
	if _, err := w.receiver.Audit.AwaitN(w.ctx, sent, func(r audit.Record) bool { return r.Status == audit.Rejected }); err != nil {
		t.Errorf("not every rejected request has an audit record: %v", err)
	}
	w.finish(w.receiver)
	if got := w.target.Requests.All(); len(got) != 0 {
		t.Errorf("the target got %v, want nothing", got)
	}
}

func TestRequestThatNoEndpointTakesIsRefused(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	unknown := endpoint{path: "/" + w.namespace + "/nobody"}
	if answer := w.github(unknown, "1", "{}"); answer.Status != http.StatusNotFound {
		t.Errorf("an unknown path is answered %d, want 404", answer.Status)
	}
	answer, err := cluster.Get(w.ctx, w.receiver.URL+e.path)
	if err != nil || answer.Status != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != http.MethodPost {
		t.Errorf("GET is answered %d with Allow %q (%v), want 405 with Allow POST", answer.Status, answer.Header.Get("Allow"), err)
	}
}

func TestBodyArrivesByteForByte(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	for name, body := range map[string]string{
		"line ends and spaces": "\r\n {\t\"a\" :\r\n 1 }\r\n\r\n ",
		"escapes and unicode":  `{"a":"\u00e9é\/ ` + "\u2028 \U0001F600" + `","b":1e400,"c":12345678901234567890,"c":-0.0}`,
		"byte order mark":      "\ufeff{}",
		"not UTF-8":            "{\"a\":\"\xff\xfe\x00\x80\"}",
		"form":                 "payload=%7B%22a%22%3A+1%7D&b=%0D%0A",
		"not JSON":             "--- yaml: [\n",
		"one byte":             "0",
		"empty":                "",
	} {
		t.Run(name, func(t *testing.T) {
			w.expectAcknowledged(w.github(e, name, body), "accepted", name)
			if got := w.awaitDelivery(name); string(got.Body) != body {
				t.Errorf("the target got %q, want %q", got.Body, body)
			}
		})
	}
}
