package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// patienceOfTests bounds every wait; only a test that fails waits so long.
const patienceOfTests = 30 * time.Second

// world is Redis, targets, routes and the audit records of the dispatchers.
type world struct {
	t       *testing.T
	store   *store.Store
	connect Connections
	records chan audit.Record

	mu     sync.Mutex
	clock  time.Duration // moved on by so much
	stands time.Time     // when the clock was stopped
	routes map[string]route.Route
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, connect: Connections{}, records: make(chan audit.Record, 10000), routes: map[string]route.Route{}}
	s, err := store.Open(t.Context(), store.Options{URL: redistest.Start(t).URL(), Clock: w.now, LookEvery: store.DefaultLookEvery})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w.store = s
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stands.IsZero() {
		return w.stands.Add(w.clock)
	}
	return time.Now().Add(w.clock)
}

// stopClock leaves it to advance how time passes, so that nothing comes due because
// the machine is slow.
func (w *world) stopClock() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stands = time.Now()
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock += d
}

// Record implements audit.Sink.
func (w *world) Record(r audit.Record) { w.records <- r }

// Route implements Routes.
func (w *world) Route(endpoint string) (route.Route, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.routes[endpoint]
	return r, ok
}

// Signer implements Routes.
func (w *world) Signer(endpoint string) Signer {
	r, _ := w.Route(endpoint)
	r.Version, r.Path = route.Version, "/"+endpoint
	r.Deduplication.Window, r.Limits.MaxBodyBytes = route.Duration(time.Hour), 1<<20
	data, err := route.Encode(r)
	if err != nil {
		w.t.Errorf("the route of %s: %v", endpoint, err)
	}
	live := route.NewLive("cluster.local")
	live.Replace([]route.Object{{Name: route.SecretName(r.Endpoint.Namespace, r.Endpoint.Name), Path: r.Path, Data: data}})
	return live.Table().Endpoint(endpoint)
}

func (w *world) setRoute(endpoint string, change func(*route.Route)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.routes[endpoint]
	change(&r)
	w.routes[endpoint] = r
}

// target runs an HTTP server and routes the endpoint team/<name> to it. Its
// retries are fast.
func (w *world) target(name string, handler http.HandlerFunc) string {
	w.t.Helper()
	server := httptest.NewServer(handler)
	w.t.Cleanup(server.Close)
	return w.targetAt(name, strings.TrimPrefix(server.URL, "http://"))
}

func (w *world) targetAt(name, address string) string {
	w.connect["team/"+name+":80"] = address
	w.setRoute("team/"+name, func(r *route.Route) {
		r.Endpoint = route.Endpoint{Namespace: "team", Name: name}
		r.Target = route.Target{Namespace: "team", Service: name, Port: 80, Scheme: "http", Path: "/in"}
		r.Delivery = route.Delivery{
			Timeout: route.Duration(20 * time.Second), MaxInFlight: 4,
			Retry: route.Retry{
				MaxAttempts: 5, MinBackoff: route.Duration(time.Millisecond),
				MaxBackoff: route.Duration(10 * time.Millisecond), MaxAge: route.Duration(72 * time.Hour),
			},
		}
	})
	return "team/" + name
}

// dispatcher makes one, without running its claim loop.
func (w *world) dispatcher() *Dispatcher {
	w.t.Helper()
	d, err := New(Options{
		Store: w.store, Routes: w, ClusterDomain: "cluster.local", ConnectTo: w.connect, Audit: w,
		Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
		defer cancel()
		_ = d.Shutdown(ctx)
	})
	return d
}

// run makes a dispatcher and runs its claim loop until the test ends.
func (w *world) run() *Dispatcher {
	w.t.Helper()
	d := w.dispatcher()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	w.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return d
}

// accept stores an event, as the handler does.
func (w *world) accept(endpoint, id string) (*store.Event, store.Lease) {
	w.t.Helper()
	body := []byte("body of " + id)
	digest := sha256.Sum256(body)
	e := &store.Event{
		Meta: event.Meta{
			Endpoint: endpoint, Provider: "github", ID: id, Type: "push", RequestID: "req-" + id, ReceivedAt: w.now(),
			BodyBytes: int64(len(body)), BodySHA256: hex.EncodeToString(digest[:]),
		},
		Method: http.MethodPost, Header: http.Header{"Content-Type": {"text/plain"}}, Body: body,
	}
	outcome, leases, err := w.store.Accept(w.t.Context(), e, store.AcceptOptions{Window: time.Hour, Lease: Lease})
	if err != nil || outcome != store.Accepted {
		w.t.Fatalf("Accept(%s) = %s, %v", id, outcome, err)
	}
	return e, leases[0]
}

// offer stores an event and has d deliver it.
func (w *world) offer(d *Dispatcher, endpoint, id string) {
	w.t.Helper()
	d.Offer(w.accept(endpoint, id))
}

// want waits for the next audit record.
func (w *world) want(status audit.Status, attempt int) audit.Record {
	w.t.Helper()
	r := await(w.t, w.records, fmt.Sprintf("a record of %s", status))
	if r.Status != status || r.Attempt != attempt {
		w.t.Fatalf("record of %s is %s at attempt %d (%s), want %s at %d", r.EventID, r.Status, r.Attempt, r.ErrorMessage, status, attempt)
	}
	return r
}

func (w *world) wantStored(pending, dead int64) {
	w.t.Helper()
	got, err := w.store.Stats(w.t.Context())
	if err != nil || got.Pending != pending || got.Dead != dead {
		w.t.Fatalf("stored are %d pending and %d dead, %v, want %d and %d", got.Pending, got.Dead, err, pending, dead)
	}
}

// due claims what is due now and wants so many.
func (w *world) due(want int) []store.Delivery {
	w.t.Helper()
	c, err := w.store.Claim(w.t.Context(), store.ClaimOptions{Max: 1000, MaxBytes: 1 << 30, Lease: Lease})
	if err != nil || len(c.Deliveries) != want {
		w.t.Fatalf("%d deliveries are due, %v, want %d", len(c.Deliveries), err, want)
	}
	return c.Deliveries
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patienceOfTests):
		t.Fatalf("waited for %s in vain", what)
		panic("unreachable")
	}
}

// hanging is a target that answers 200 when it is told to.
type hanging struct {
	arrived chan string // event ids
	answer  chan struct{}
}

func newHanging() *hanging {
	return &hanging{arrived: make(chan string, 1000), answer: make(chan struct{})}
}

func (h *hanging) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.arrived <- r.Header.Get("Sallyport-Event-Id")
	_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the client went away
	select {
	case <-h.answer:
	case <-r.Context().Done():
	}
}

// answering answers with the statuses in turn, the last one for ever.
func answering(statuses ...int) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		status := statuses[0]
		if len(statuses) > 1 {
			statuses = statuses[1:]
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}
}
