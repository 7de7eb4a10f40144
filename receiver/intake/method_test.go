package intake

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// withMethods makes the test route's provider deliver by some methods, and check
// the URL by others.
func withMethods(methods ...string) func(*route.Route) {
	return func(r *route.Route) {
		r.Provider.Schemes[0].Methods = methods
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r.Provider.Handshakes = append(r.Provider.Handshakes, verify.Handshake{
				Name: "probe by " + method, Kind: verify.Probe, Method: method, Unsigned: true, Answer: verify.HandshakeAnswer{Status: 200},
			})
		}
		r.Provider.Handshakes = append(r.Provider.Handshakes, verify.Handshake{
			Name: "origin", Method: http.MethodOptions, Unsigned: true, Match: []verify.Condition{{Location: verify.Location{Header: "X-Origin"}}},
			Answer: verify.HandshakeAnswer{Status: 200},
		})
	}
}

// TestDeliveriesByAnyMethod: an event comes by the methods of its scheme, and is kept
// with the one by which it came.
func TestDeliveriesByAnyMethod(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		for _, body := range []string{"", "{}"} {
			t.Run(method+body, func(t *testing.T) {
				g := newGate(t, withMethods("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
				response, text := g.raw(method, testPath, signed("evt_1", []byte(body)), body)
				if response.StatusCode != 200 || (text == "") != (method == "HEAD") || method != "HEAD" && !strings.Contains(text, `"status":"accepted"`) {
					t.Errorf("the answer is %d %q", response.StatusCode, text)
				}
				stored := g.stored()
				if r := g.record(); r.Status != audit.Accepted || len(stored) != 1 || stored[0].Method != method || string(stored[0].Body) != body {
					t.Errorf("the audit record is %+v, stored is %+v", r, stored)
				}
			})
		}
	}
}

// TestMethodsThatDeliverNothing: a request that is neither a delivery nor a handshake
// is refused, whatever its signature.
func TestMethodsThatDeliverNothing(t *testing.T) {
	authentic := func() http.Header { return signed("evt_1", []byte("{}")) }
	for name, test := range map[string]struct {
		methods []string
		method  string
		header  http.Header
		want    int
		outcome audit.Status
		allow   string
	}{
		"a probe by GET":                     {nil, "GET", nil, 200, audit.Handshake, ""},
		"a probe by HEAD":                    {nil, "HEAD", nil, 200, audit.Handshake, ""},
		"a probe where events come by it":    {[]string{"GET"}, "GET", nil, 200, audit.Handshake, ""},
		"an event by GET":                    {nil, "GET", authentic(), 400, audit.Rejected, ""},
		"an event by HEAD":                   {nil, "HEAD", authentic(), 400, audit.Rejected, ""},
		"a forged one where events come":     {[]string{"GET"}, "GET", http.Header{"X-Signature": {hmacHex("x")}, "X-Id": {"1"}}, 401, audit.Rejected, ""},
		"an event by POST where none come":   {[]string{"GET"}, "POST", authentic(), 405, audit.Rejected, "GET, HEAD, OPTIONS"},
		"an event by PUT":                    {nil, "PUT", authentic(), 405, audit.Rejected, "GET, HEAD, OPTIONS, POST"},
		"an event by OPTIONS":                {nil, "OPTIONS", authentic(), 400, audit.Rejected, ""},
		"a handshake by OPTIONS":             {nil, "OPTIONS", http.Header{"X-Origin": {"a"}}, 200, audit.Handshake, ""},
		"PUT where it is one of the methods": {[]string{"PUT", "PATCH"}, "PUT", authentic(), 200, audit.Accepted, ""},
		"POST where it is none of them":      {[]string{"PUT", "PATCH"}, "POST", authentic(), 405, audit.Rejected, "GET, HEAD, OPTIONS, PATCH, PUT"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, withMethods(test.methods...))
			response, text := g.raw(test.method, testPath, test.header, "{}")
			if response.StatusCode != test.want || response.Header.Get("Allow") != test.allow || strings.Contains(text, "POST") && !slices.Contains(g.methods(), "POST") {
				t.Errorf("the answer is %d %q with Allow %q, want %d with %q", response.StatusCode, text, response.Header.Get("Allow"), test.want, test.allow)
			}
			if r := g.record(); r.Status != test.outcome || (len(g.stored()) > 0) != (test.outcome == audit.Accepted) {
				t.Errorf("the audit record is %+v, %d events are stored", r, len(g.stored()))
			}
		})
	}
}

// methods are those of the endpoint.
func (g *gate) methods() []string { return g.live.Table().Endpoint("billing/stripe").Methods }
