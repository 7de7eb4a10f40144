package intake

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

func TestSuccessIsAnsweredAsTheProviderWants(t *testing.T) {
	for name, test := range map[string]struct {
		success     route.Response
		contentType string
		length      string
	}{
		"a text":           {route.Response{Status: 200, ContentType: "text/plain", Body: "[accepted]"}, "text/plain", "10"},
		"a text by itself": {route.Response{Status: 202, Body: "ok"}, "text/plain", "2"},
		"markup":           {route.Response{Status: 200, ContentType: "text/xml", Body: "<Response/>"}, "text/xml", "11"},
		"no content":       {route.Response{Status: 204}, "", ""},
		"nothing":          {route.Response{Status: 200}, "", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) { r.Responses.Success = &test.success })
			for outcome, want := range map[store.Outcome]audit.Status{store.Accepted: audit.Accepted, store.Duplicate: audit.Duplicate} {
				g.outcome = outcome
				response, text := g.raw(http.MethodPost, testPath, signed("evt_1", []byte("{}")), "{}")
				if response.StatusCode != test.success.Status || text != test.success.Body ||
					response.Header.Get("Content-Type") != test.contentType || response.Header.Get("Content-Length") != test.length {
					t.Errorf("%s is answered %d %q with %v", want, response.StatusCode, text, response.Header)
				}
				if r := g.record(); r.Status != want || r.StatusCode != test.success.Status || r.EventID != "evt_1" {
					t.Errorf("the audit record is %+v", r)
				}
			}
			if len(g.stored()) != 2 {
				t.Error("the event was not handed to the store")
			}
		})
	}
}

func TestRefusalIsAnsweredAsTheProviderWants(t *testing.T) {
	wanted := route.Responses{
		Success:         &route.Response{Status: 200, Body: "[accepted]"},
		Unauthenticated: 498, Malformed: 422, Overloaded: 503, Forbidden: 451, TooLarge: 507, Invalid: 409,
	}
	authentic := signed("evt_1", []byte("{}"))
	demand := func(c verify.Condition) func(*route.Route) {
		return func(r *route.Route) {
			r.Provider.Schemes[0].Require = []verify.Condition{c}
			r.Provider.Parameters = []verify.Parameter{{Name: "tenant"}}
			r.Parameters = []route.Parameter{{Name: "tenant", Entry: route.ParameterEntry(0), Value: secret.New([]byte("a"))}}
		}
	}
	tenant := verify.Location{Header: "X-Tenant"}
	for name, test := range map[string]struct {
		change func(*route.Route)
		header http.Header
		want   int
	}{
		"a wrong signature":     {nil, signed("evt_1", []byte("another body")), 498},
		"no signature":          {nil, http.Header{"X-Id": {"evt_1"}}, 422},
		"a malformed signature": {nil, http.Header{"X-Signature": {"xyz"}}, 422},
		"two signatures":        {nil, http.Header{"X-Signature": {hmacHex("{}"), hmacHex("{}")}}, 422},
		"no event id":           {nil, http.Header{"X-Signature": {hmacHex("{}")}}, 409}, // it is authentic
		"two event ids":         {nil, http.Header{"X-Signature": {hmacHex("{}")}, "X-Id": {"1", "1"}}, 409},
		"a foreign value":       {demand(verify.Condition{Location: tenant, Parameter: "tenant"}), authentic, 409},
		"a precondition":        {demand(verify.Condition{Location: tenant, Equals: "a"}), authentic, 400}, // that comes before the signature
		"a foreign source": {func(r *route.Route) {
			r.Limits.SourceRanges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}, authentic, 451},
		"too large": {func(r *route.Route) { r.Limits.MaxBodyBytes = 1 }, authentic, 507},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) {
				r.Responses = wanted
				if test.change != nil {
					test.change(r)
				}
			})
			got := g.send(http.MethodPost, testPath, test.header, bytes.NewReader([]byte("{}")))
			if got.StatusCode != test.want || got.Error == "" || len(g.stored()) != 0 {
				t.Errorf("the answer is %d %q, want %d", got.StatusCode, got.Error, test.want)
			}
			if r := g.record(); r.Status != audit.Rejected || r.StatusCode != test.want {
				t.Errorf("the audit record is %+v", r)
			}
		})
	}
	t.Run("too many requests", func(t *testing.T) {
		g := newGate(t, func(r *route.Route) {
			r.Responses = wanted
			r.Limits.RateLimit = &route.RateLimit{PerSecond: 1, Burst: 1}
		})
		frozen := time.Now()
		g.handler.Now = func() time.Time { return frozen }
		for _, want := range []int{200, 503} {
			response, text := g.raw(http.MethodPost, testPath, signed("evt_1", []byte("{}")), "{}")
			if response.StatusCode != want || (response.Header.Get("Retry-After") == "1") != (want == 503) {
				t.Errorf("the answer is %d %q with Retry-After %q, want %d", response.StatusCode, text, response.Header.Get("Retry-After"), want)
			}
		}
	})
}

// TestRefusalsAreEmptyWhereTheProviderWantsIt, whatever they are for.
func TestRefusalsAreEmptyWhereTheProviderWantsIt(t *testing.T) {
	authentic := signed("evt_1", []byte("{}"))
	for name, test := range map[string]struct {
		change func(*route.Route)
		err    error
		method string
		header http.Header
		body   io.Reader
		want   int
		retry  string
	}{
		"a wrong signature": {header: signed("evt_1", []byte("x")), want: 401},
		"no signature":      {header: http.Header{}, want: 400},
		"no event id":       {header: http.Header{"X-Signature": {hmacHex("{}")}}, want: 400},
		"a method":          {method: http.MethodPut, header: authentic, want: 405},
		"a source":          {change: func(r *route.Route) { r.Limits.SourceRanges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, header: authentic, want: 403},
		"too large":         {change: func(r *route.Route) { r.Limits.MaxBodyBytes = 1 }, header: authentic, want: 413},
		"too large, later":  {change: func(r *route.Route) { r.Limits.MaxBodyBytes = 1 }, header: authentic, body: io.MultiReader(strings.NewReader("{}")), want: 413},
		"unavailable":       {change: func(r *route.Route) { r.Unavailable, r.Keys = "there is no Secret", nil }, header: authentic, want: 503, retry: "30"},
		"not stored":        {err: store.ErrUnavailable, header: authentic, want: 503, retry: "10"},
		"a mistake of ours": {err: errors.New("a bug"), header: authentic, want: 503, retry: "10"},
		"not readable": {change: func(r *route.Route) {
			withRoutes("one", "event.body.a == 1")(r)
			r.Target = route.Target{}
		}, header: signed("evt_1", []byte("text")), body: strings.NewReader("text"), want: 503, retry: "30"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) {
				r.Responses.EmptyRefusals = true
				if test.change != nil {
					test.change(r)
				}
			})
			g.err = test.err
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.body == nil {
				test.body = strings.NewReader("{}")
			}
			request, err := http.NewRequestWithContext(t.Context(), test.method, g.server.URL+testPath, test.body)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = test.header
			response, err := g.server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			_, typed := response.Header["Content-Type"]
			if err != nil || len(text) > 0 || typed || response.Header.Get("Content-Length") != "0" {
				t.Errorf("the answer is %q with %v (%v)", text, response.Header, err)
			}
			if response.StatusCode != test.want || response.Header.Get("Retry-After") != test.retry || (response.Header.Get("Allow") != "") != (test.want == 405) {
				t.Errorf("the answer is %d with %v, want %d", response.StatusCode, response.Header, test.want)
			}
			if r := g.record(); r.ErrorMessage == "" || len(g.stored()) != 0 {
				t.Errorf("the audit record is %+v", r)
			}
		})
	}
	t.Run("an unknown path", func(t *testing.T) {
		g := newGate(t, func(r *route.Route) { r.Responses.EmptyRefusals = true })
		if got := g.send(http.MethodPost, "/billing/nobody", authentic, nil); got.StatusCode != 404 || got.Error == "" {
			t.Errorf("the answer is %d %q", got.StatusCode, got.Error)
		}
	})
}
