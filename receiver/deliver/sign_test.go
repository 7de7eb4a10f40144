package deliver

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// standardWebhooks verifies as a target does.
func standardWebhooks(t *testing.T) *verify.Verifier {
	t.Helper()
	verifier, err := verify.Compile(verify.Provider{Name: "target", Schemes: []verify.Scheme{{
		Name: "v1", Algorithm: verify.HMACSHA256, Content: "{id}.{timestamp}.{body}",
		Signature: verify.Signature{From: []verify.Location{{Header: "webhook-signature"}}, Prefix: "v1,", Encoding: verify.Base64},
		ID:        &verify.Location{Header: "webhook-id"},
		Timestamp: &verify.Timestamp{From: &verify.Location{Header: "webhook-timestamp"}, Unit: verify.Seconds, ToleranceSeconds: 60},
	}}, Identity: verify.Identity{ID: []string{"{id}"}}})
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func TestSignatureIsThatOfStandardWebhooks(t *testing.T) {
	verifier := standardWebhooks(t)
	now := time.Unix(1767225600, 999)
	header := http.Header{"Content-Type": {"text/plain"}, "Webhook-Id": {"theirs", "too"}, "webhook_signature": {"v1,theirs"}, "Webhook-Extra": {"theirs"}}
	sign(header, secret.New([]byte("key")), "evt.1", []byte("body\x00\xff"), now)
	if got := header["Webhook-Signature"]; len(got) != 1 {
		t.Fatalf("the signatures are %q", got)
	}
	for key, want := range map[string]bool{"key": true, "another": false} {
		request := &verify.Request{Method: http.MethodPost, Header: header, Body: []byte("body\x00\xff")}
		verdict, err := verifier.Verify(request, &verify.Material{Secrets: []secret.Value{secret.New([]byte(key))}}, now)
		if (err == nil) != want {
			t.Errorf("by the key %q: %v", key, err)
		}
		if err != nil {
			continue
		}
		if event, err := verifier.Identify(request, verdict); err != nil || event.ID != "evt.1" {
			t.Errorf("the id is %q, %v", event.ID, err)
		}
	}
	delete(header, "Webhook-Signature")
	want := http.Header{"Content-Type": {"text/plain"}, "Webhook-Id": {"evt.1"}, "Webhook-Timestamp": {"1767225600"}}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("the other headers (-want +got):\n%s", diff)
	}
}

// TestEachAttemptIsSigned, with its own time; and what isn't to be signed keeps
// the sender's headers.
func TestEachAttemptIsSigned(t *testing.T) {
	w := newWorld(t)
	got := make(chan http.Header, 2)
	answer := answering(500, 200)
	endpoint := w.target("api", func(rw http.ResponseWriter, r *http.Request) {
		got <- r.Header
		answer(rw, r)
	})
	w.setRoute(endpoint, func(r *route.Route) {
		r.Target.Signing = &route.Signing{Entry: route.SigningEntry(0), Key: secret.New([]byte("key"))}
	})
	verifier := standardWebhooks(t)
	w.offer(w.run(), endpoint, "1")
	w.want(audit.RetryScheduled, 1)
	w.want(audit.Delivered, 2)
	for range 2 {
		request := &verify.Request{Method: http.MethodPost, Header: await(t, got, "a request"), Body: []byte("body of 1")}
		if _, err := verifier.Verify(request, &verify.Material{Secrets: []secret.Value{secret.New([]byte("key"))}}, w.now()); err != nil {
			t.Error(err)
		}
	}
}

func TestSendersHeadersAreKeptWhereNothingIsSigned(t *testing.T) {
	w := newWorld(t)
	got := make(chan http.Header, 1)
	endpoint := w.target("api", func(_ http.ResponseWriter, r *http.Request) { got <- r.Header })
	event, lease := w.accept(endpoint, "1")
	event.Header = http.Header{"Webhook-Signature": {"v1,theirs"}}
	w.run().Offer(event, lease)
	if header := await(t, got, "a request"); header.Get("Webhook-Signature") != "v1,theirs" {
		t.Errorf("the headers are %v", header)
	}
	w.want(audit.Delivered, 1)
}

// What is signed is what the target reads in the header, byte for byte, whatever an
// earlier version took for an id: a proxy, a server or a client may trim blanks, and
// readers differ in what bytes beyond ASCII mean.
func TestHeaderAndSignedContentAgree(t *testing.T) {
	verifier := standardWebhooks(t)
	for _, id := range []string{"evt_1", "ev 1", " ev 1 ", "ev-ä", "a\tb", "a\nb", "\x7f", strings.Repeat("x", 300)} {
		s := &shipment{event: &store.Event{Meta: event.Meta{ID: id}, Method: http.MethodPost, Body: []byte("body")}, number: 1, route: &route.Route{Target: route.Target{
			Service: "api", Namespace: "team", Scheme: "http", Port: 80, Path: "/in",
			Signing: &route.Signing{Key: secret.New([]byte("key"))},
		}}}
		request, err := s.request(t.Context(), noon)
		if err != nil {
			t.Fatal(err)
		}
		var wire bytes.Buffer
		if err := request.Write(&wire); err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		header := http.Header{}
		for line := range strings.SplitSeq(wire.String(), "\r\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				header.Add(name, value) // as it stands on the wire
			}
		}
		got := header.Get("Webhook-Id")
		if got != header.Get("Sallyport-Event-Id") || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(got) != got {
			t.Errorf("%q: the id in the headers is %q and %q", id, got, header.Get("Sallyport-Event-Id"))
		}
		signed := &verify.Request{Method: http.MethodPost, Header: header, Body: []byte("body")}
		if _, err := verifier.Verify(signed, &verify.Material{Secrets: []secret.Value{secret.New([]byte("key"))}}, noon); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}
