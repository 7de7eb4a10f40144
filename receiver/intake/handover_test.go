package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// byToken has the sender send its secret, in a header or in the query.
func byToken(r *route.Route) {
	scheme := &r.Provider.Schemes[0]
	scheme.Algorithm, scheme.Content, scheme.Signature.Encoding = verify.Token, "", verify.Text
	scheme.Signature.From = []verify.Location{{Header: "Authorization"}, {Query: "token"}}
	scheme.Signature.Prefix, scheme.Signature.PrefixOptional = "Bearer ", true
	r.PublicURL = "https://hooks.example.com" + testPath
}

func TestQueryAndURLAreStored(t *testing.T) {
	g := newGate(t, func(r *route.Route) { r.PublicURL = "https://hooks.example.com" + testPath })
	if got := g.send(http.MethodPost, testPath+"?b=2&&a=%31+x&token=no-credential-here", signed("evt_1", []byte("{}")), strings.NewReader("{}")); got.StatusCode != 200 {
		t.Fatalf("the answer is %d: %+v", got.StatusCode, g.record())
	}
	e := g.stored()[0]
	if e.Query != "b=2&&a=%31+x&token=no-credential-here" || e.URL != "https://hooks.example.com/billing/stripe" || e.Scheme != "v1" || e.Credentials != nil {
		t.Errorf("stored are %q, %q, %q, %+v", e.Query, e.URL, e.Scheme, e.Credentials)
	}
}

// The sender's secret is stored only if a target asks for it, and then apart.
func TestCredentialsAreStoredForThoseWhoGetThem(t *testing.T) {
	forwarding := func(r *route.Route) {
		r.Routes = []route.EventRoute{{Name: "tags", Match: match.Rule{Expression: "has(event.query.b) && !has(event.query.token)"}, Target: r.Target}}
		r.Routes[0].Target.ForwardCredentials = true
	}
	for _, test := range []struct {
		name, query string
		header      http.Header
		change      func(*route.Route)
		want        *store.Credentials
		targets     []string
	}{
		{"removed from the header", "b=2", http.Header{"Authorization": {"Bearer " + testSecret}}, nil, nil, []string{""}},
		{"removed from the query", "b=2&token=" + testSecret + "&c", http.Header{}, nil, nil, []string{""}},
		{"kept of the header", "b=2", http.Header{"Authorization": {"Bearer " + testSecret}}, forwarding,
			&store.Credentials{Header: http.Header{"Authorization": {"Bearer " + testSecret}}}, []string{"tags"}},
		{"kept of the query", "b=2&token=" + testSecret + "&c", http.Header{}, forwarding,
			&store.Credentials{Header: http.Header{}, Query: "b=2&token=" + testSecret + "&c"}, []string{"tags"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) {
				byToken(r)
				if test.change != nil {
					test.change(r)
				}
			})
			test.header.Set("X-Id", "evt_1")
			if got := g.send(http.MethodPost, testPath+"?"+test.query, test.header, strings.NewReader("{}")); got.StatusCode != 200 {
				t.Fatalf("the answer is %d: %+v", got.StatusCode, g.record())
			}
			e := g.stored()[0]
			if e.Header.Get("Authorization") != "" || strings.Contains(e.Query, testSecret) || !strings.HasPrefix(e.Query, "b=2") {
				t.Errorf("every target sees %q and %v", e.Query, e.Header)
			}
			if diff := cmp.Diff(test.want, e.Credentials); diff != "" {
				t.Errorf("the credentials (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.targets, g.options[0].Targets); diff != "" {
				t.Errorf("the targets (-want +got):\n%s", diff)
			}
		})
	}
}

// A proxy that repeats the URL in a header repeats the secret in its query.
func TestNoHeaderQuotesTheQuery(t *testing.T) {
	g := newGate(t, byToken)
	uri := testPath + "?b=2&token=" + testSecret
	header := http.Header{"X-Id": {"evt_1"}, "X-Envoy-Original-Path": {uri}, "X-Original-Url": {"https://hooks.example.com" + uri}, "X-Other": {testPath + "?b=2"}}
	if got := g.send(http.MethodPost, uri, header, strings.NewReader("{}")); got.StatusCode != http.StatusOK {
		t.Fatalf("the answer is %d: %+v", got.StatusCode, g.record())
	}
	stored := g.stored()[0].Header
	for name, values := range stored {
		if strings.Contains(strings.Join(values, ","), testSecret) {
			t.Errorf("every target sees %s", name)
		}
	}
	if stored.Get("X-Other") == "" || stored.Get("X-Id") == "" {
		t.Errorf("the other headers are gone: %v", stored)
	}
}

// From the request to the target: what a handler that stays as it is gets to see
// while the sender waits for it.
func TestAHandlerStaysAsItIs(t *testing.T) {
	seen := make(chan *http.Request, 1)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	next := func(t *testing.T) *http.Request {
		t.Helper()
		select {
		case r := <-seen:
			return r
		case <-time.After(30 * time.Second):
			t.Fatal("the target got nothing")
			panic("unreachable")
		}
	}
	t.Run("token", func(t *testing.T) {
		g := newSyncGate(t, handler, func(r *route.Route) {
			byToken(r)
			r.Target.ForwardCredentials = true
		})
		header := http.Header{"Authorization": {"Bearer " + testSecret}, "X-Id": {"evt_1"}, "X-Forwarded-Host": {"receiver.internal"}}
		if got, _ := g.raw(http.MethodPost, testPath+"?order=42", header, "{}"); got.StatusCode != http.StatusOK {
			t.Fatalf("the answer is %d", got.StatusCode)
		}
		got := next(t)
		if got.Header.Get("Authorization") != "Bearer "+testSecret || got.URL.RawQuery != "order=42" ||
			got.Header.Get("Sallyport-Url") != "https://hooks.example.com/billing/stripe?order=42" || got.Header.Get("X-Forwarded-Host") != "hooks.example.com" {
			t.Errorf("the target got %s with %v", got.URL, got.Header)
		}
	})
	t.Run("signature", func(t *testing.T) {
		ends := time.Now().Add(time.Hour)
		g := newSyncGate(t, handler, func(r *route.Route) {
			r.Keys = []route.Key{{Name: "key-0", Value: secret.New([]byte("new"))}, {Name: "key-1", Value: r.Keys[0].Value, NotAfter: &ends}}
			r.Target.FreshSignature = true
		})
		g.want("evt_1", http.StatusOK, audit.Delivered) // signed with the previous secret
		mac := hmac.New(sha256.New, []byte("new"))
		_, _ = mac.Write([]byte("{}"))
		if got, want := next(t).Header.Get("X-Signature"), hex.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("the signature is %s, want %s", got, want)
		}
	})
}
