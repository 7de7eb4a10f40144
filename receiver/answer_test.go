package receiver

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
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
		Unauthenticated: 498, Malformed: 422, Overloaded: 503,
	}
	for name, test := range map[string]struct {
		header http.Header
		want   int
	}{
		"a wrong signature":     {signed("evt_1", []byte("another body")), 498},
		"no signature":          {http.Header{"X-Id": {"evt_1"}}, 422},
		"a malformed signature": {http.Header{"X-Signature": {"xyz"}}, 422},
		"two signatures":        {http.Header{"X-Signature": {hmacHex("{}"), hmacHex("{}")}}, 422},
		"no event id":           {http.Header{"X-Signature": {hmacHex("{}")}}, 400}, // it is authentic
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) { r.Responses = wanted })
			got := g.send(http.MethodPost, testPath, test.header, bytes.NewReader([]byte("{}")))
			if got.StatusCode != test.want || got.Error == "" || len(g.stored()) != 0 {
				t.Errorf("the answer is %d %q, want %d", got.StatusCode, got.Error, test.want)
			}
		})
	}
	t.Run("too many requests", func(t *testing.T) {
		g := newGate(t, func(r *route.Route) {
			r.Responses = wanted
			r.Limits.RateLimit = &route.RateLimit{PerSecond: 1, Burst: 1}
		})
		frozen := time.Now()
		g.handler.now = func() time.Time { return frozen }
		for _, want := range []int{200, 503} {
			response, text := g.raw(http.MethodPost, testPath, signed("evt_1", []byte("{}")), "{}")
			if response.StatusCode != want || (response.Header.Get("Retry-After") == "1") != (want == 503) {
				t.Errorf("the answer is %d %q with Retry-After %q, want %d", response.StatusCode, text, response.Header.Get("Retry-After"), want)
			}
		}
	})
}
