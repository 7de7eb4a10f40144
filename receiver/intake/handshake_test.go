package intake

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// withHandshakes gives the test route's provider one handshake of each kind.
func withHandshakes(r *route.Route) {
	query := func(name, pattern string) verify.Condition {
		return verify.Condition{Location: verify.Location{Query: name}, Pattern: pattern}
	}
	r.Provider.Schemes[0].BodyFormat = verify.JSONBody // or an answer could pass for an event
	r.Provider.Parameters = []verify.Parameter{{Name: "verify_token"}}
	r.Parameters = []route.Parameter{{Name: "verify_token", Entry: route.ParameterEntry(0), Value: secret.New([]byte("hunter3"))}}
	r.Provider.Handshakes = []verify.Handshake{
		{
			Name: "echo", Method: http.MethodGet, Unsigned: true, Match: []verify.Condition{query("challenge", "")},
			Guard:  []verify.Condition{{Location: verify.Location{Query: "token"}, Parameter: "verify_token"}},
			Answer: verify.HandshakeAnswer{Status: 200, Body: "{query:challenge}"},
		},
		{
			Name: "crc", Method: http.MethodGet, Unsigned: true, Match: []verify.Condition{query("crc", "")},
			Guard:  []verify.Condition{query("crc", "[a-z0-9]{1,20}")},
			Answer: verify.HandshakeAnswer{Status: 200, JSON: []verify.Field{{Name: "response", Value: "sha256={query:crc|hmac_hex}"}}},
		},
		{Name: "head", Method: http.MethodHead, Unsigned: true, Answer: verify.HandshakeAnswer{Status: 200}},
		{
			Name: "origin", Method: http.MethodOptions, Unsigned: true, Match: []verify.Condition{{Location: verify.Location{Header: "X-Origin"}}},
			Answer: verify.HandshakeAnswer{Status: 204, Headers: []verify.Field{{Name: "X-Allowed", Value: "{header:X-Origin}"}}},
		},
		{
			Name: "ping", Method: http.MethodPost, Match: []verify.Condition{{Location: verify.Location{JSON: "/type"}, Equals: "ping"}},
			Answer: verify.HandshakeAnswer{Status: 200, Body: "{json:/challenge}"},
		},
		{
			Name: "subscription", Method: http.MethodPost, Match: []verify.Condition{{Location: verify.Location{JSON: "/type"}, Equals: "subscribe"}},
			Answer: verify.HandshakeAnswer{Status: 200},
			Confirm: &verify.Confirmation{
				From: verify.Location{JSON: "/url"}, HostPattern: `example\.com`, PathPattern: "/confirm", QueryPattern: "Token=[a-z0-9]+",
			},
		},
	}
}

func hmacHex(text string) string {
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestHandshakesAreAnsweredAndAreNoEvents(t *testing.T) {
	const ping = `{"type":"ping","challenge":"abc"}`
	for name, test := range map[string]struct {
		method, query string
		header        http.Header
		body          string
		status        int
		answer        string
		contentType   string
		handshake     string
		verified      bool
	}{
		"unsigned":      {"GET", "?challenge=abc&token=hunter3", nil, "", 200, "abc", "text/plain", "echo", false},
		"signed answer": {"GET", "?crc=abc", nil, "", 200, `{"response":"sha256=` + hmacHex("abc") + `"}`, "application/json", "crc", false},
		"HEAD":          {"HEAD", "", nil, "", 200, "", "", "head", false},
		"OPTIONS":       {"OPTIONS", "", http.Header{"X-Origin": {"example.org"}}, "", 204, "", "", "origin", false},
		"signed":        {"POST", "", signed("", []byte(ping)), ping, 200, "abc", "text/plain", "ping", true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, withHandshakes)
			response, text := g.raw(test.method, testPath+test.query, test.header, test.body)
			if response.StatusCode != test.status || text != test.answer || response.Header.Get("Content-Type") != test.contentType {
				t.Errorf("the answer is %d %q of type %q", response.StatusCode, text, response.Header.Get("Content-Type"))
			}
			if test.handshake == "origin" && response.Header.Get("X-Allowed") != "example.org" {
				t.Errorf("the headers of the answer are %v", response.Header)
			}
			if len(g.stored()) != 0 || len(g.offered) != 0 {
				t.Error("an event is stored")
			}
			r := g.record()
			if r.Status != audit.Handshake || r.SignatureVerified != test.verified || r.StatusCode != test.status || r.EventType != test.handshake ||
				r.EventID != "" || r.ErrorMessage != "" || r.Endpoint != "billing/stripe" || r.RequestID == "" {
				t.Errorf("the audit record is %+v", r)
			}
			if n := testutil.ToFloat64(g.handler.Metrics.requests.WithLabelValues("billing/stripe", "example", "handshake")); n != 1 {
				t.Errorf("%v handshakes are counted", n)
			}
		})
	}
}

// The handshakes of an endpoint change nothing for its events.
func TestEventsOfAnEndpointWithHandshakesAreStored(t *testing.T) {
	g := newGate(t, withHandshakes)
	if got := g.post("evt_1", `{"type":"invoice.paid"}`); got.StatusCode != 200 || got.Status != "accepted" || len(g.stored()) != 1 {
		t.Errorf("the answer is %d %+v, %d events are stored", got.StatusCode, got, len(g.stored()))
	}
}

func TestWhatIsNoHandshakeIsRefused(t *testing.T) {
	const ping = `{"type":"ping","challenge":"abc"}`
	forged := signed("", []byte("something else"))
	for name, test := range map[string]struct {
		change        func(*route.Route)
		method, query string
		header        http.Header
		body          string
		want          int
		allow         string
		reason        verify.Reason
	}{
		"a method that no handshake has": {nil, "PUT", "", nil, "", 405, "GET, HEAD, OPTIONS, POST", ""},
		"a GET that matches none":        {nil, "GET", "", nil, "", 400, "", ""},
		"an OPTIONS that matches none":   {nil, "OPTIONS", "", nil, "", 400, "", ""},
		"a wrong token":                  {nil, "GET", "?challenge=abc&token=guess", nil, "", 403, "", verify.HandshakeRefused},
		"no token":                       {nil, "GET", "?challenge=abc", nil, "", 403, "", verify.HandshakeRefused},
		"text that is not to be signed":  {nil, "GET", "?crc=%7B%22a%22%3A1%7D", nil, "", 400, "", verify.MalformedHandshake},
		"a forged signature":             {nil, "POST", "", forged, ping, 401, "", verify.WrongSignature},
		"no signature":                   {nil, "POST", "", nil, ping, 400, "", verify.MissingSignature},
		"a foreign source": {func(r *route.Route) {
			r.Limits.SourceRanges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}, "GET", "?crc=abc", nil, "", 403, "", ""},
		"a signed GET that is an event": {func(r *route.Route) {
			r.Provider.Handshakes = append(r.Provider.Handshakes, verify.Handshake{
				Name: "signed", Method: "GET", Match: []verify.Condition{{Location: verify.Location{Query: "never"}}},
				Answer: verify.HandshakeAnswer{Status: 200},
			})
		}, "GET", "", signed("evt_1", nil), "", 400, "", ""},
		"a signed GET that is not authentic": {func(r *route.Route) {
			r.Provider.Handshakes = append(r.Provider.Handshakes, verify.Handshake{
				Name: "signed", Method: "GET", Match: []verify.Condition{{Location: verify.Location{Query: "q"}}},
				Answer: verify.HandshakeAnswer{Status: 200},
			})
		}, "GET", "?q=1", forged, "", 401, "", verify.WrongSignature},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) {
				withHandshakes(r)
				if test.change != nil {
					test.change(r)
				}
			})
			response, text := g.raw(test.method, testPath+test.query, test.header, test.body)
			if response.StatusCode != test.want || response.Header.Get("Allow") != test.allow || !strings.Contains(text, `"error"`) {
				t.Errorf("the answer is %d %q with Allow %q, want %d with Allow %q", response.StatusCode, text, response.Header.Get("Allow"), test.want, test.allow)
			}
			if strings.Contains(text, "hunter3") || strings.Contains(text, hmacHex(`{"a":1}`)) {
				t.Errorf("the answer tells too much: %q", text)
			}
			if r := g.record(); r.Status != audit.Rejected || r.ErrorMessage == "" || len(g.stored()) != 0 {
				t.Errorf("the audit record is %+v, %d events are stored", r, len(g.stored()))
			}
			if test.reason == "" {
				return
			}
			if n := testutil.ToFloat64(g.handler.Metrics.signatureFailures.WithLabelValues("billing/stripe", "example", string(test.reason))); n != 1 {
				t.Errorf("%v failures for the reason %s are counted", n, test.reason)
			}
		})
	}
}

// Whoever asks for signatures, or guesses at a token, gets only so many tries.
// Events are not held up by that.
func TestUnsignedHandshakesAreLimited(t *testing.T) {
	for name, query := range map[string]string{"answered": "?crc=abc", "refused": "?challenge=abc&token=guess"} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, withHandshakes)
			frozen := time.Now()
			g.handler.Now = func() time.Time { return frozen }
			limited := 0
			for range 30 {
				if response, _ := g.raw(http.MethodGet, testPath+query, nil, ""); response.StatusCode == 429 {
					limited++
					if response.Header.Get("Retry-After") != "1" {
						t.Errorf("Retry-After is %q", response.Header.Get("Retry-After"))
					}
				}
			}
			if limited != 10 {
				t.Errorf("%d of 30 handshakes are refused as too many, want 10", limited)
			}
			if got := g.post("evt_1", "{}"); got.StatusCode != 200 {
				t.Errorf("an event is answered %d meanwhile", got.StatusCode)
			}
			const ping = `{"type":"ping","challenge":"abc"}`
			if response, _ := g.raw(http.MethodPost, testPath, signed("", []byte(ping)), ping); response.StatusCode != 200 {
				t.Errorf("a signed handshake is answered %d meanwhile", response.StatusCode)
			}
		})
	}
}

// sender is a sender's host, example.com: a TLS server that the handler trusts
// and reaches.
func (g *gate) sender(handler http.HandlerFunc) *egress.Client {
	g.t.Helper()
	server := httptest.NewTLSServer(handler)
	g.t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	address := server.Listener.Addr().String()
	transport.DialTLSContext = nil
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return egress.NewWithTransport(egress.ForWebhooks, transport)
}

func TestHandshakeIsConfirmedBeforeItIsAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		url     string
		forged  bool
		status  int // of the sender's host
		want    int
		retry   string
		visited bool
		outcome audit.Status
	}{
		"confirmed":        {"https://example.com/confirm?Token=hunter4", false, 200, 200, "", true, audit.Handshake},
		"the host refuses": {"https://example.com/confirm?Token=hunter4", false, 403, 503, "30", true, audit.Unavailable},
		"a redirect":       {"https://example.com/confirm?Token=hunter4", false, 302, 503, "30", true, audit.Unavailable},
		"a foreign host":   {"https://example.org/confirm?Token=hunter4", false, 200, 403, "", false, audit.Rejected},
		"another path":     {"https://example.com/delete?Token=hunter4", false, 200, 403, "", false, audit.Rejected},
		"another query":    {"https://example.com/confirm?Token=hunter4&Action=Delete", false, 200, 403, "", false, audit.Rejected},
		"no query":         {"https://example.com/confirm", false, 200, 403, "", false, audit.Rejected},
		"no https":         {"http://example.com/confirm?Token=hunter4", false, 200, 403, "", false, audit.Rejected},
		"not authentic":    {"https://example.com/confirm?Token=hunter4", true, 200, 401, "", false, audit.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, withHandshakes)
			visits := make(chan string, 10)
			g.handler.confirmations = g.sender(func(w http.ResponseWriter, r *http.Request) {
				visits <- r.Method + " " + r.Host + r.URL.String()
				w.Header().Set("Location", "https://example.com/elsewhere")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, "<ConfirmSubscriptionResponse/>")
			})
			body := `{"type":"subscribe","url":"` + test.url + `"}`
			header := signed("", []byte(body))
			if test.forged {
				header = signed("", []byte("something else"))
			}
			response, text := g.raw(http.MethodPost, testPath, header, body)
			if response.StatusCode != test.want || response.Header.Get("Retry-After") != test.retry {
				t.Errorf("the answer is %d %q with Retry-After %q, want %d", response.StatusCode, text, response.Header.Get("Retry-After"), test.want)
			}
			close(visits)
			var got []string
			for visit := range visits {
				got = append(got, visit)
			}
			if (len(got) > 0) != test.visited || (test.visited && (len(got) != 1 || got[0] != "GET example.com/confirm?Token=hunter4")) {
				t.Errorf("the host was asked for %q", got)
			}
			r := g.record()
			if r.Status != test.outcome || len(g.stored()) != 0 {
				t.Errorf("the audit record is %+v", r)
			}
			if strings.Contains(text+r.ErrorMessage, "hunter4") || strings.Contains(text+r.ErrorMessage, "example.com") {
				t.Errorf("the confirmation's URL is told: %q, %q", text, r.ErrorMessage)
			}
		})
	}
}
