package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
)

// TestBodiesAsLargeAsSendersMakeThem: most senders give up what is answered 413. What
// is sent here has the size that each sender is known to reach, and a body of 1 MiB is
// too large for none of them.
func TestBodiesAsLargeAsSendersMakeThem(t *testing.T) {
	all := loadSenders(t)
	pad := func(before string, size int, after string) string {
		return before + strings.Repeat("x", size-len(before)-len(after)) + after
	}
	hub := func(header, prefix string) func(string) []field {
		return func(body string) []field { return []field{{header, prefix + hexMAC(sha256.New, trapSecret, body)}} }
	}
	bearer := func(string) []field { return []field{{"Authorization", "Bearer " + trapSecret}} }
	github := func(body string) []field {
		return append(hub("X-Hub-Signature-256", "sha256=")(body), field{"X-GitHub-Delivery", "large"}, field{"X-GitHub-Event", "push"})
	}
	gogs := func(body string) []field {
		payload, _ := url.QueryUnescape(strings.TrimPrefix(body, "payload="))
		return append(hub("X-Gogs-Signature", "")(payload), field{"X-Gogs-Delivery", "large"}, field{"Content-Type", formMediaType})
	}
	for name, test := range map[string]struct {
		preset, body, query string
		header              func(body string) []field
	}{
		"a push to Gogs": {"gogs", pad(`{"ref":"`, 1_200<<10, `"}`), "", func(body string) []field {
			return append(hub("X-Gogs-Signature", "")(body), field{"X-Gogs-Delivery", "large"})
		}},
		"a form of Gogs":           {"gogs", pad("payload=%7B%22ref%22%3A%22", 2<<20, "%22%7D"), "", gogs},
		"a push to GitHub":         {"github", pad(`{"ref":"`, 24<<20, `"}`), "", github},
		"a batch of WhatsApp":      {"meta", pad(`{"object":"whatsapp_business_account","entry":[],"x":"`, 3_000_000, `"}`), "", hub("X-Hub-Signature-256", "sha256=")},
		"a storm of alerts":        {"alertmanager", alerts(t, 3000), "", bearer},
		"a storm in Grafana":       {"grafana", alerts(t, 3000), "", hub("X-Grafana-Alerting-Signature", "")},
		"an event of exactly 1 MB": {"azure-event-grid", pad(`[{"id":"large","data":"`, 1<<20+2, `"}]`), "token=" + trapSecret, func(string) []field { return nil }},
		"a page of a form": {"typeform", pad(`{"event_id":"large","x":"`, 1_500_000, `"}`), "", func(body string) []field {
			return []field{{"Typeform-Signature", "sha256=" + base64MAC(body)}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := specimenOf(t, all, test.preset)
			example := *s.example
			example.Secret = trapSecret
			s.example, s.wire = &example, wire{method: http.MethodPost, query: test.query, header: test.header(test.body), body: []byte(test.body)}
			g := newGround(t, all, []specimen{s})
			if status, record := g.send(t, &s, mutant{name: name, wire: s.wire}); status/100 != 2 || record.Status != audit.Accepted || record.BodyBytes != int64(len(test.body)) {
				t.Errorf("%d bytes are answered %d (%s: %s)", len(test.body), status, record.Status, record.ErrorMessage)
			}
		})
	}
	t.Run("a message of Pub/Sub", func(t *testing.T) {
		// The token, which is that of the example, says nothing of the body.
		s := specimenOf(t, all, "google-pubsub")
		s.wire.body = []byte(pad(`{"subscription":"s","message":{"messageId":"large","data":"`, 10_000_000/3*4, `"}}`))
		g := newGround(t, all, []specimen{s})
		if status, record := g.send(t, &s, mutant{name: "large", wire: s.wire}); status/100 != 2 || record.Status != audit.Accepted {
			t.Errorf("answered %d (%s: %s)", status, record.Status, record.ErrorMessage)
		}
	})
}

// base64MAC is what senders sign a body with that write base64.
func base64MAC(body string) string { return signature(sha256.New, body) }

// alerts is a notification of a group.
func alerts(t *testing.T, count int) string {
	t.Helper()
	group := make([]map[string]any, count)
	for i := range group {
		group[i] = map[string]any{
			"status": "firing", "labels": map[string]string{"alertname": "KubePodCrashLooping", "pod": fmt.Sprint("api-", i)},
			"annotations": map[string]string{"description": string(bytes.Repeat([]byte("d"), 400))},
		}
	}
	text, err := json.Marshal(map[string]any{"status": "firing", "groupKey": "{}:{}", "alerts": group})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLimitOfAnEndpoint: what an endpoint asks for holds in full, and ends there.
func TestLimitOfAnEndpoint(t *testing.T) {
	all := loadSenders(t)
	s := specimenOf(t, all, "hmac-sha256")
	example := *s.example
	example.Secret = trapSecret
	s.example = &example
	for _, test := range []struct{ limit, size, want int }{
		{20 << 20, 15 << 20, http.StatusOK}, {20 << 20, 20 << 20, http.StatusOK},
		{10_000, 10_000, http.StatusOK}, {10_000, 10_001, http.StatusRequestEntityTooLarge},
	} {
		g := newGround(t, all, []specimen{s}, func(r *route.Route) { r.Limits.MaxBodyBytes = int64(test.limit) })
		body := "a=" + strings.Repeat("x", test.size-2)
		w := signedForm(body, field{"X-Signature", hexMAC(sha256.New, trapSecret, body)})
		if status, record := g.send(t, &s, mutant{name: "large", wire: w}); status != test.want {
			t.Errorf("%d of %d bytes are answered %d (%s), want %d", test.size, test.limit, status, record.ErrorMessage, test.want)
		}
	}
}
