package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

func TestAuthenticEventIsStoredThenAcknowledgedThenDelivered(t *testing.T) {
	g := newGate(t, func(r *route.Route) { r.Deduplication.RememberContent = true })
	body := "{\"a\": 1}\r\n"
	header := signed("evt_1", []byte(body))
	header.Set("Content-Type", "application/json")
	header.Set("Sallyport-Event-Id", "forged")
	header.Set("X-Request-Id", "proxy-1")
	header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	got := g.send(http.MethodPost, testPath, header, strings.NewReader(body))
	if got.StatusCode != 200 || got.Status != "accepted" || got.EventID != "evt_1" || got.RequestID != "proxy-1" {
		t.Fatalf("the answer is %d %+v", got.StatusCode, got)
	}

	events := g.stored()
	if len(events) != 1 || len(g.offered) != 1 || g.offered[0] != events[0] {
		t.Fatalf("%d events are stored and %d offered, want one and the same", len(events), len(g.offered))
	}
	e, o := events[0], g.options[0]
	if e.Endpoint != "billing/stripe" || e.EndpointUID != "uid-1" || e.Provider != "example" || e.ID != "evt_1" || e.Type != "invoice.paid" ||
		e.RequestID != "proxy-1" || e.Method != "POST" || e.SourceIP != "127.0.0.1" || string(e.Body) != body ||
		e.TraceParent != header.Get("Traceparent") || e.Header.Get("Content-Type") != "application/json" || time.Since(e.ReceivedAt) > time.Minute {
		t.Errorf("the event is %+v", e)
	}
	if e.Header.Get("Sallyport-Event-Id") != "" {
		t.Error("a header in our name has come through")
	}
	if o.Window != 72*time.Hour || o.Lease != time.Minute || o.Content == nil || *o.Content != sha256.Sum256([]byte(body)) || !slices.Equal(o.Targets, []string{""}) {
		t.Errorf("the event is stored with %+v", o)
	}

	r := g.record()
	sum := sha256.Sum256([]byte(body))
	if r.Status != audit.Accepted || r.Endpoint != "billing/stripe" || r.EndpointUID != "uid-1" || r.Provider != "example" || r.EventID != "evt_1" ||
		r.EventType != "invoice.paid" || !r.SignatureVerified || r.RequestID != "proxy-1" || r.SourceIP != "127.0.0.1" || r.StatusCode != 200 ||
		r.BodyBytes != int64(len(body)) || r.BodySHA256 != hex.EncodeToString(sum[:]) || r.Attempt != 0 || r.ErrorMessage != "" {
		t.Errorf("the audit record is %+v", r)
	}
}

func TestDuplicatesAreSuccesses(t *testing.T) {
	for name, test := range map[string]struct {
		outcome store.Outcome
		leases  int
		reason  string
	}{
		"duplicate": {store.Duplicate, 0, ""},
		"revived":   {store.Revived, 1, ""},
		"replayed":  {store.ContentReplayed, 0, "content-replayed"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, nil)
			g.outcome, g.leases = test.outcome, make([]store.Lease, test.leases)
			got := g.post("evt_1", "{}")
			if got.StatusCode != 200 || got.Status != "duplicate" || got.EventID != "evt_1" || got.Reason != test.reason {
				t.Errorf("the answer is %d %+v", got.StatusCode, got)
			}
			if r := g.record(); r.Status != audit.Duplicate || r.ErrorMessage != test.reason {
				t.Errorf("the audit record is %+v", r)
			}
			if len(g.offered) != test.leases {
				t.Errorf("%d deliveries are offered, want %d", len(g.offered), test.leases)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	const body = "{}"
	header := func(change func(http.Header)) http.Header {
		h := signed("evt_1", []byte(body))
		change(h)
		return h
	}
	past := time.Unix(1, 0)
	authentic := signed("evt_1", []byte(body))
	for name, test := range map[string]struct {
		route    func(*route.Route)
		err      error
		method   string
		path     string
		header   http.Header
		body     io.Reader
		want     int
		retry    string
		says     string
		verified bool
	}{
		"unknown path":           {path: "/billing/nobody", header: authentic, want: 404},
		"root":                   {path: "/", header: authentic, want: 404},
		"GET":                    {method: "GET", header: authentic, want: 405},
		"PUT":                    {method: "PUT", header: authentic, want: 405},
		"OPTIONS":                {method: "OPTIONS", header: authentic, want: 405},
		"foreign source":         {route: func(r *route.Route) { r.Limits.SourceRanges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, header: authentic, want: 403},
		"too large":              {route: func(r *route.Route) { r.Limits.MaxBodyBytes = 1 }, header: authentic, want: 413},
		"too large, chunked":     {route: func(r *route.Route) { r.Limits.MaxBodyBytes = 1 }, header: authentic, body: io.MultiReader(strings.NewReader(body)), want: 413},
		"unavailable":            {route: func(r *route.Route) { r.Unavailable, r.Keys = "there is no Secret", nil }, header: authentic, want: 503, retry: "30"},
		"unavailable, forged":    {route: func(r *route.Route) { r.Unavailable, r.Keys = "there is no Secret", nil }, header: http.Header{}, want: 503, retry: "30"},
		"all keys have ended":    {route: func(r *route.Route) { r.Keys[0].NotAfter = &past }, header: authentic, want: 503, retry: "30"},
		"another secret":         {route: func(r *route.Route) { r.Keys[0].Value = secret.New([]byte("other")) }, header: authentic, want: 401},
		"another body":           {header: signed("evt_1", []byte("{ }")), want: 401},
		"no signature":           {header: header(func(h http.Header) { h.Del("X-Signature") }), want: 400, says: "X-Signature"},
		"an empty signature":     {header: header(func(h http.Header) { h.Set("X-Signature", "") }), want: 400, says: "X-Signature"},
		"a malformed signature":  {header: header(func(h http.Header) { h.Set("X-Signature", "xyz") }), want: 400},
		"bytes in a signature":   {header: header(func(h http.Header) { h.Set("X-Signature", "\xff\x80") }), want: 400, says: "hexadecimal"},
		"two signatures":         {header: header(func(h http.Header) { h.Add("X-Signature", h.Get("X-Signature")) }), want: 400},
		"no id":                  {header: header(func(h http.Header) { h.Del("X-Id") }), want: 400, verified: true},
		"Redis is away":          {err: store.ErrUnavailable, header: authentic, want: 503, retry: "10", verified: true},
		"Redis is full":          {err: fmt.Errorf("accept: %w", store.ErrFull), header: authentic, want: 503, retry: "10", verified: true},
		"the queue is full":      {err: fmt.Errorf("accept: %w", store.ErrQueueFull), header: authentic, want: 503, retry: "30", says: "not delivered yet", verified: true},
		"a copy is being stored": {err: store.ErrBusy, header: authentic, want: 503, retry: "2", verified: true},
		"an unexpected error":    {err: errors.New("a private detail"), header: authentic, want: 503, retry: "10", verified: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, test.route)
			g.err = test.err
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.path == "" {
				test.path = testPath
			}
			if test.body == nil {
				test.body = strings.NewReader(body)
			}
			got := g.send(test.method, test.path, test.header, test.body)
			if got.StatusCode != test.want || got.Error == "" || !strings.Contains(got.Error, test.says) {
				t.Errorf("the answer is %d %q, want %d with %q", got.StatusCode, got.Error, test.want, test.says)
			}
			if retry := got.Header.Get("Retry-After"); retry != test.retry {
				t.Errorf("Retry-After is %q, want %q", retry, test.retry)
			}
			if allow := got.Header.Get("Allow"); (allow == "POST") != (test.want == 405) {
				t.Errorf("Allow is %q", allow)
			}
			if strings.Contains(got.Error, "private") || strings.Contains(got.Error, "Secret") {
				t.Errorf("the answer tells the sender too much: %q", got.Error)
			}
			if len(g.stored()) != 0 {
				t.Error("the event is stored")
			}
			want := audit.Rejected
			if test.want >= 500 {
				want = audit.Unavailable
			}
			if r := g.record(); r.Status != want || r.StatusCode != test.want || r.ErrorMessage == "" || r.SignatureVerified != test.verified {
				t.Errorf("the audit record is %+v", r)
			}
		})
	}
}

func TestPreviousKeyIsTakenUntilItEnds(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		end  time.Time
		want int
	}{"during the grace": {now.Add(time.Hour), 200}, "after it": {now.Add(-time.Hour), 401}} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) {
				previous := route.Key{Name: route.KeyName(1), NotAfter: &test.end, Value: r.Keys[0].Value}
				r.Keys = []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte("new"))}, previous}
			})
			if got := g.post("evt_1", "{}"); got.StatusCode != test.want {
				t.Errorf("the answer is %d, want %d", got.StatusCode, test.want)
			}
		})
	}
}

// What is seen of the keys is told in the Lease; see lease_test.go.
func TestUseOfThePreviousAndOfTheCurrentKeyIsNoted(t *testing.T) {
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	g := newGate(t, func(r *route.Route) {
		previous := route.Key{Name: route.KeyName(1), NotAfter: &end, Value: secret.New([]byte("the old one"))}
		r.Keys = append(r.Keys, previous)
	})
	use := func() route.KeyUse { return g.live.Table().KeyUse(time.Now())["billing/stripe"] }
	g.send(http.MethodPost, testPath, http.Header{"X-Signature": {hmacHex("other")}}, strings.NewReader("{}"))
	if got := use(); got != (route.KeyUse{}) {
		t.Errorf("a request that is not authentic counts as %+v", got)
	}
	old := hmac.New(sha256.New, []byte("the old one"))
	old.Write([]byte("{}"))
	header := http.Header{"X-Signature": {hex.EncodeToString(old.Sum(nil))}, "X-Id": {"evt_1"}}
	if got := g.send(http.MethodPost, testPath, header, strings.NewReader("{}")); got.StatusCode != 200 {
		t.Fatalf("the previous key is answered %d", got.StatusCode)
	}
	if got := use(); got.PreviousEnds != end.Unix() || got.PreviousLast == 0 || got.CurrentFirst != 0 {
		t.Errorf("the use of the previous key counts as %+v", got)
	}
	g.post("evt_2", "{}")
	if got := use(); got.CurrentFirst == 0 || got.PreviousLast == 0 {
		t.Errorf("the use of both keys counts as %+v", got)
	}
}

func TestRateLimit(t *testing.T) {
	g := newGate(t, func(r *route.Route) { r.Limits.RateLimit = &route.RateLimit{PerSecond: 1, Burst: 3} })
	frozen := time.Now()
	g.handler.Now = func() time.Time { return frozen }
	for i := range 3 {
		if got := g.post(fmt.Sprint(i), "{}"); got.StatusCode != 200 {
			t.Fatalf("request %d within the burst is answered %d", i, got.StatusCode)
		}
	}
	if got := g.post("4", "{}"); got.StatusCode != 429 || got.Header.Get("Retry-After") != "1" {
		t.Errorf("the answer beyond the burst is %d with Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
	frozen = frozen.Add(time.Second)
	if got := g.post("5", "{}"); got.StatusCode != 200 {
		t.Errorf("a second later the answer is %d", got.StatusCode)
	}
}

func TestInClusterHostLeadsToItsEndpoint(t *testing.T) {
	g := newGate(t, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.server.URL+"/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Host, request.Header = "stripe-webhook.billing.svc:80", signed("evt_1", []byte("{}"))
	response, err := g.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.read(response); got.StatusCode != 200 || got.EventID != "evt_1" {
		t.Errorf("the answer is %d %+v", got.StatusCode, got)
	}
}

// Until all routes are there, a missing one says nothing: a sender that gets a
// 404 may give the event up, or the whole webhook.
func TestNothingIsNotFoundWhileTheRoutesAreNotLoaded(t *testing.T) {
	g := newGate(t, nil)
	loading := route.NewLive("cluster.local")
	g.handler.Routes = loading
	post := func() answered {
		return g.send(http.MethodPost, testPath, signed("evt_1", []byte("{}")), strings.NewReader("{}"))
	}
	if got := post(); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("before: %d, Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
	if r := <-g.journal; r.Status != audit.Unavailable || r.ErrorMessage == "" {
		t.Errorf("before: the audit says %+v", r)
	}
	loading.Replace(nil)
	if got := post(); got.StatusCode != http.StatusNotFound {
		t.Errorf("there are no routes: %d", got.StatusCode)
	}
}

// What has more header lines than a target takes gets no promise.
func TestHeaderLinesAreBounded(t *testing.T) {
	g := newGate(t, nil)
	with := func(lines int) http.Header {
		header := signed("evt_1", []byte("{}"))
		for i := range lines {
			header.Add("X-Line", strconv.Itoa(i))
		}
		return header
	}
	if got := g.send(http.MethodPost, testPath, with(300), strings.NewReader("{}")); got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("300 lines are answered %d", got.StatusCode)
	}
	if r := g.record(); r.Status != audit.Rejected || len(g.stored()) != 0 {
		t.Errorf("the audit says %+v, stored is %v", r, g.stored())
	}
	if got := g.send(http.MethodPost, testPath, with(200), strings.NewReader("{}")); got.StatusCode != 200 {
		t.Errorf("200 lines are answered %d", got.StatusCode)
	}
}

func TestPanicIsOneRequestsFailure(t *testing.T) {
	g := newGate(t, nil)
	g.onEvent = func() { panic("a bug") }
	if got := g.post("evt_1", "{}"); got.StatusCode != 500 || strings.Contains(got.Error, "bug") {
		t.Errorf("the answer is %d %q", got.StatusCode, got.Error)
	}
	if r := g.record(); r.Status != audit.Unavailable || r.StatusCode != 500 {
		t.Errorf("the audit record is %+v", r)
	}
	g.onEvent = nil
	if got := g.post("evt_1", "{}"); got.StatusCode != 200 {
		t.Errorf("the request after it is answered %d", got.StatusCode)
	}
	if held := g.handler.memory.used(); held != 0 {
		t.Errorf("%d bytes are still reserved", held)
	}
}

func TestCredentialsAreNotStored(t *testing.T) {
	g := newGate(t, func(r *route.Route) {
		scheme := &r.Provider.Schemes[0]
		scheme.Algorithm, scheme.Content, scheme.Signature.Encoding = verify.Token, "", verify.Text
	})
	header := http.Header{"X-Signature": {testSecret}, "X-Id": {"evt_1"}, "X-Other": {"kept"}}
	if got := g.send(http.MethodPost, testPath, header, strings.NewReader("{}")); got.StatusCode != 200 {
		t.Fatalf("the answer is %d: %+v", got.StatusCode, g.record())
	}
	e := g.stored()[0]
	if e.Header.Get("X-Signature") != "" || e.Header.Get("X-Other") != "kept" {
		t.Errorf("the stored headers are %v", e.Header)
	}
}

func TestMetrics(t *testing.T) {
	g := newGate(t, nil)
	g.post("evt_1", "{}")
	g.outcome = store.Duplicate
	g.post("evt_1", "{}")
	g.send(http.MethodPost, testPath, signed("evt_1", []byte("x")), strings.NewReader("{}"))
	g.send(http.MethodPost, "/billing/nobody", nil, nil)
	for range 4 {
		g.record()
	}
	want := `
# HELP sallyport_requests_total Requests by outcome; the endpoint is empty if no route has the path.
# TYPE sallyport_requests_total counter
sallyport_requests_total{endpoint="",outcome="rejected",provider=""} 1
sallyport_requests_total{endpoint="billing/stripe",outcome="accepted",provider="example"} 1
sallyport_requests_total{endpoint="billing/stripe",outcome="duplicate",provider="example"} 1
sallyport_requests_total{endpoint="billing/stripe",outcome="rejected",provider="example"} 1
# HELP sallyport_signature_failures_total Requests that were not authentic, by reason.
# TYPE sallyport_signature_failures_total counter
sallyport_signature_failures_total{endpoint="billing/stripe",provider="example",reason="WrongSignature"} 1
# HELP sallyport_duplicates_total Events that were stored before, by how they were recognised.
# TYPE sallyport_duplicates_total counter
sallyport_duplicates_total{endpoint="billing/stripe",provider="example",reason="event-id"} 1
# HELP sallyport_routes_loaded Routes in the table.
# TYPE sallyport_routes_loaded gauge
sallyport_routes_loaded 1
# HELP sallyport_routes_invalid Routes that fail closed because they can't be decoded or compiled.
# TYPE sallyport_routes_invalid gauge
sallyport_routes_invalid 0
`
	if err := testutil.GatherAndCompare(g.registry, strings.NewReader(want), "sallyport_requests_total", "sallyport_signature_failures_total",
		"sallyport_duplicates_total", "sallyport_routes_loaded", "sallyport_routes_invalid"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(g.registry, "sallyport_accept_duration_seconds"); err != nil || n != 1 {
		t.Errorf("there are %d histograms (%v)", n, err)
	}
}

// TestRefusedBodiesAreNotHashedForTheRecord: a stranger would have us do it.
func TestRefusedBodiesAreNotHashedForTheRecord(t *testing.T) {
	g := newGate(t, nil)
	g.send(http.MethodPost, testPath, signed("evt_1", []byte("other")), strings.NewReader("{}"))
	if r := g.record(); r.Status != audit.Rejected || r.StatusCode != 401 || r.BodySHA256 != "" || r.BodyBytes != 2 || !r.BodyRead {
		t.Errorf("the audit record is %+v", r)
	}
}

// TestSignedURLWithABareMark: "?" may be the end of the URL that the sender was given.
func TestSignedURLWithABareMark(t *testing.T) {
	const public = "https://hooks.example.com/x"
	g := newGate(t, func(r *route.Route) {
		r.PublicURL = public
		r.Provider.Schemes[0].Content = "{url} {body}"
		r.Provider.Schemes[0].BodyFormat = verify.JSONBody
	})
	for path, want := range map[string]int{testPath + "?": 200, testPath: 401} {
		header := signed("evt_"+path, []byte(public+"? {}"))
		if got := g.send(http.MethodPost, path, header, strings.NewReader("{}")); got.StatusCode != want {
			t.Errorf("%s: the answer is %d %s, want %d", path, got.StatusCode, got.Error, want)
		}
	}
}
