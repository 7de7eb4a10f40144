package intake

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

const (
	testPath   = "/billing/stripe"
	testSecret = "hunter2"
)

// testRoute returns the route of billing/stripe: the body is signed with
// HMAC-SHA256 in X-Signature, the id is in X-Id, the type in X-Type.
func testRoute() route.Route {
	return route.Route{
		Version:  route.Version,
		Endpoint: route.Endpoint{Namespace: "billing", Name: "stripe", UID: "uid-1", Created: time.Unix(1700000000, 0)},
		Path:     testPath,
		Provider: verify.Provider{
			Name: "example",
			Schemes: []verify.Scheme{{
				Name: "v1", Algorithm: verify.HMACSHA256, Content: "{body}",
				Signature: verify.Signature{From: []verify.Location{{Header: "X-Signature"}}, Encoding: verify.Hex},
			}},
			Identity: verify.Identity{ID: []string{"{header:X-Id}"}, Type: []string{"{header:X-Type}"}},
		},
		Keys:   []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte(testSecret))}},
		Target: route.Target{Namespace: "billing", Service: "billing-api", Port: 8080, Scheme: "http", Path: "/"},
		Delivery: route.Delivery{
			Timeout: route.Duration(time.Second), MaxInFlight: 1,
			Retry: route.Retry{MaxAttempts: 1, MinBackoff: route.Duration(1), MaxBackoff: route.Duration(1), MaxAge: route.Duration(time.Hour)},
		},
		Deduplication: route.Deduplication{Window: route.Duration(72 * time.Hour)},
		Limits:        route.Limits{MaxBodyBytes: 1 << 20},
	}
}

// objectOf encodes a route as the manager does.
func objectOf(tb testing.TB, r route.Route) route.Object {
	tb.Helper()
	data, err := route.Encode(r)
	if err != nil {
		tb.Fatal(err)
	}
	return route.Object{Name: route.SecretName(r.Endpoint.Namespace, r.Endpoint.Name), Path: r.Path, Data: data}
}

// signed returns the headers of an authentic request.
func signed(id string, body []byte) http.Header {
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write(body)
	return http.Header{"X-Signature": {hex.EncodeToString(mac.Sum(nil))}, "X-Id": {id}, "X-Type": {"invoice.paid"}}
}

// ledger keeps the events that a Handler accepts and offers. The methods that it
// doesn't have are those of what it embeds, if anything.
type ledger struct {
	Store
	Deliverer

	outcome store.Outcome
	leases  []store.Lease
	err     error
	onEvent func()

	mu      sync.Mutex
	events  []*store.Event
	options []store.AcceptOptions
	offered []*store.Event
}

func (l *ledger) Accept(_ context.Context, e *store.Event, o store.AcceptOptions) (store.Outcome, []store.Lease, error) {
	if l.onEvent != nil {
		l.onEvent()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, nil, l.err
	}
	l.events, l.options = append(l.events, e), append(l.options, o)
	return l.outcome, l.leases, nil
}

func (l *ledger) Offer(e *store.Event, _ store.Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offered = append(l.offered, e)
}

// journal is a Sink that can be waited for.
type journal chan audit.Record

func (j journal) Record(r audit.Record) { j <- r }

// gate is a Handler behind a real HTTP server.
type gate struct {
	*ledger
	t        testing.TB
	handler  *Handler
	live     *route.Live
	registry *prometheus.Registry
	journal  journal
	server   *httptest.Server

	connections *Connections
}

// newGate serves the test route after change.
func newGate(t testing.TB, change func(*route.Route)) *gate {
	t.Helper()
	g := &gate{
		ledger: &ledger{outcome: store.Accepted, leases: make([]store.Lease, 1)},
		t:      t, live: route.NewLive("cluster.local"), registry: prometheus.NewRegistry(), journal: make(journal, 1000),
	}
	r := testRoute()
	if change != nil {
		change(&r)
	}
	g.live.Replace([]route.Object{objectOf(t, r)})
	g.handler = NewHandler(Options{
		Routes: g.live, Store: g.ledger, Deliverer: g.ledger, Lease: time.Minute, Audit: g.journal,
		Metrics: NewMetrics(g.registry, g.live), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	g.server = httptest.NewUnstartedServer(g.handler)
	g.connections = NewConnections(0, g.registry)
	g.server.Config = NewServer(g.handler, g.connections)
	g.server.Listener = g.connections.Listener(g.server.Listener)
	g.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	g.server.Start()
	t.Cleanup(g.server.Close)
	return g
}

// answered is an answer with what its JSON says.
type answered struct {
	*http.Response
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	EventID   string `json:"eventId"`
	RequestID string `json:"requestId"`
	Error     string `json:"error"`
}

// send makes a request and reads its answer.
func (g *gate) send(method, path string, header http.Header, body io.Reader) answered {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), method, g.server.URL+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header = header
	response, err := g.server.Client().Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.read(response)
}

func (g *gate) read(response *http.Response) answered {
	g.t.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	got := answered{Response: response}
	if err := json.Unmarshal(text, &got); err != nil {
		g.t.Fatalf("the answer %d is no JSON: %q", response.StatusCode, text)
	}
	if got.RequestID == "" || got.RequestID != response.Header.Get("X-Request-Id") {
		g.t.Errorf("the answer's request id is %q in the body and %q in the header", got.RequestID, response.Header.Get("X-Request-Id"))
	}
	return got
}

// raw makes a request and returns its answer as it came, less what every answer has.
func (g *gate) raw(method, path string, header http.Header, body string) (*http.Response, string) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), method, g.server.URL+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header = header
	response, err := g.server.Client().Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if response.Header.Get("X-Request-Id") == "" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
		g.t.Errorf("the headers of the answer are %v", response.Header)
	}
	return response, string(text)
}

// post sends an authentic request.
func (g *gate) post(id, body string) answered {
	g.t.Helper()
	return g.send(http.MethodPost, testPath, signed(id, []byte(body)), bytes.NewReader([]byte(body)))
}

// stored returns the events that were accepted.
func (g *gate) stored() []*store.Event {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*store.Event(nil), g.events...)
}

// record waits for the next audit record.
func (g *gate) record() audit.Record {
	g.t.Helper()
	select {
	case r := <-g.journal:
		return r
	case <-time.After(30 * time.Second):
		g.t.Fatal("there is no audit record")
		panic("unreachable")
	}
}
