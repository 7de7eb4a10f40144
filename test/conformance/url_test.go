package conformance

import (
	"crypto/hmac"
	"crypto/sha1" // what Twilio, Trello and Mandrill sign with
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// public is the URL that is entered at the senders.
const public = "https://hooks.example.com/conformance/by-url"

const urlSecret = "not-a-real-secret"

// urlSigner is a sender that signs the URL it was given.
type urlSigner struct {
	preset string
	query  string // what the sender adds to the URL
	header http.Header
	body   string
	// sign returns the header's name and the signature over a URL.
	sign func(address string) (string, string)
}

func signature(algorithm func() hash.Hash, parts ...string) string {
	mac := hmac.New(algorithm, []byte(urlSecret))
	_, _ = mac.Write([]byte(strings.Join(parts, "")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

const (
	formMediaType = "application/x-www-form-urlencoded"
	jsonMediaType = "application/json"
	hubspotTime   = "1767225600000" // urlTime in milliseconds
)

const urlTime = 1767225600

// urlSigners sign as the senders' documentation says, not with our code.
var urlSigners = []urlSigner{
	{
		preset: "twilio", header: http.Header{"Content-Type": {formMediaType}, "I-Twilio-Idempotency-Token": {"t-1"}}, body: "MessageSid=SM1&MessageStatus=sent",
		sign: func(address string) (string, string) {
			return "X-Twilio-Signature", signature(sha1.New, address, "MessageSid", "SM1", "MessageStatus", "sent")
		},
	},
	{
		preset: "twilio", query: "tenant=a%20b", header: http.Header{"Content-Type": {formMediaType}, "I-Twilio-Idempotency-Token": {"t-2"}}, body: "MessageSid=SM1",
		sign: func(address string) (string, string) {
			return "X-Twilio-Signature", signature(sha1.New, address, "MessageSid", "SM1")
		},
	},
	{
		preset: "square", header: http.Header{"Content-Type": {jsonMediaType}}, body: `{"event_id":"e-1","type":"payment.created"}`,
		sign: func(address string) (string, string) {
			return "X-Square-Hmacsha256-Signature", signature(sha256.New, address, `{"event_id":"e-1","type":"payment.created"}`)
		},
	},
	{
		preset: "hubspot", query: "portal=7", header: http.Header{"Content-Type": {jsonMediaType}, "X-Hubspot-Request-Timestamp": {hubspotTime}}, body: `[{"eventId":1,"subscriptionType":"contact.creation"}]`,
		sign: func(address string) (string, string) {
			return "X-Hubspot-Signature-V3", signature(sha256.New, "POST", address, `[{"eventId":1,"subscriptionType":"contact.creation"}]`, hubspotTime)
		},
	},
	{
		preset: "trello", header: http.Header{"Content-Type": {jsonMediaType}}, body: `{"action":{"id":"a-1","type":"updateCard"}}`,
		sign: func(address string) (string, string) {
			return "X-Trello-Webhook", signature(sha1.New, `{"action":{"id":"a-1","type":"updateCard"}}`, address)
		},
	},
	{
		preset: "mandrill", header: http.Header{"Content-Type": {formMediaType}}, body: "mandrill_events=%5B%7B%22_id%22%3A%22m-1%22%2C%22event%22%3A%22send%22%7D%5D",
		sign: func(address string) (string, string) {
			return "X-Mandrill-Signature", signature(sha1.New, address, "mandrill_events", `[{"_id":"m-1","event":"send"}]`)
		},
	},
}

// TestSignedURLBehindProxies: what is verified is the URL that the sender was
// given, whatever a proxy makes of host, scheme and forwarding headers on the
// way. A signature over another URL, such as one with a slash at the end, is
// refused.
func TestSignedURLBehindProxies(t *testing.T) {
	senders := loadSenders(t)
	events, err := store.Open(t.Context(), store.Options{URL: redistest.Start(t).URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	gate := &gate{events: events}
	for _, signer := range urlSigners {
		t.Run(signer.preset+"?"+signer.query, func(t *testing.T) {
			v := vector{ID: "by-url", URL: public, Secret: urlSecret, Now: urlTime}
			proxy := behindProxy(t, gate.handler(t, v.route(t, senders[signer.preset]), &v))
			address := public
			if signer.query != "" {
				address += "?" + signer.query
			}
			for name, test := range map[string]struct {
				signed string
				status int
			}{
				"another host": {strings.Replace(address, "hooks.", "evil.", 1), http.StatusUnauthorized},
				"plain http":   {strings.Replace(address, "https:", "http:", 1), http.StatusUnauthorized},
				"a slash":      {strings.Replace(address, "by-url", "by-url/", 1), http.StatusUnauthorized},
				"the URL":      {address, http.StatusOK},
			} {
				if status, text := signer.post(t, proxy, test.signed); status != test.status {
					t.Errorf("signed %s: answered %d %s, want %d", name, status, text, test.status)
				}
			}
		})
	}
}

// post sends through the proxy what is signed with a URL.
func (s urlSigner) post(t *testing.T, proxy, signed string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy+"/conformance/by-url?"+s.query, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = s.header.Clone()
	name, value := s.sign(signed)
	request.Header.Set(name, value)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// behindProxy puts a proxy before the handler that ends TLS, takes a host of
// its own, and is told lies by the client about both.
func behindProxy(t *testing.T, handler http.Handler) string {
	t.Helper()
	backend := httptest.NewServer(handler)
	t.Cleanup(backend.Close)
	to, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = "receiver.sallyport-system.svc"
		r.Out.Header.Set("X-Forwarded-Host", "evil.example.com")
		r.Out.Header.Set("X-Forwarded-Proto", "http")
		r.Out.Header.Set("X-Original-Url", "/elsewhere")
		r.Out.Header.Set("Forwarded", "host=evil.example.com;proto=http")
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}
