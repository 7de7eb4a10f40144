package eventsapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// base is the path of the API.
const base = "/apis/events.hooks.sallyport.dev/v1alpha1"

// world is an API with a real store. Its user is whoever the test says.
type world struct {
	t       *testing.T
	redis   *redistest.Server
	store   *store.Store
	server  *httptest.Server
	closing chan struct{}
	client  client.WithWatch // of the endpoints
	records recorder

	// deny says what the user may not do; nil: everything is allowed.
	deny func(*request.RequestInfo) bool
}

// recorder is a Sink that keeps what it gets.
type recorder struct {
	mu  sync.Mutex
	all []audit.Record
}

func (r *recorder) Record(record audit.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, record)
}

func (r *recorder) taken() []audit.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]audit.Record(nil), r.all...)
}

// newWorld has the endpoints that are named, as "namespace/name".
func newWorld(t *testing.T, endpoints ...string) *world {
	t.Helper()
	w := &world{t: t, redis: redistest.Start(t), closing: make(chan struct{})}
	var err error
	if w.store, err = store.Open(t.Context(), store.Options{URL: w.redis.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w.client = fake.NewClientBuilder().WithScheme(scheme).Build()
	for _, name := range endpoints {
		w.addEndpoint(name)
	}
	w.server = httptest.NewServer(w.handler(w))
	t.Cleanup(w.server.Close)
	return w
}

// handler serves alice, who may do what the authorizer says.
func (w *world) handler(authz authorizer) http.Handler {
	authn := authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: &user.DefaultInfo{Name: "alice"}}, true, nil
	})
	return newHandler(Options{Store: w.store, Endpoints: w.client, Audit: &w.records, Logger: logr.Discard()}, authn, authz, w.closing)
}

// authorize implements authorizer.
func (w *world) authorize(_ context.Context, u user.Info, info *request.RequestInfo) error {
	if w.deny != nil && w.deny(info) {
		return forbidden(u, info, "")
	}
	return nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addEndpoint(name string) {
	w.t.Helper()
	r := refOf(name)
	w.must(w.client.Create(w.t.Context(), &v1alpha1.WebhookEndpoint{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name}}))
}

var received = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// accept stores an event as a receiver does, and tells of it in the journal.
func (w *world) accept(endpoint, id string, targets ...string) []store.Lease {
	w.t.Helper()
	e := &store.Event{
		Meta: event.Meta{
			Endpoint: endpoint, EndpointUID: "uid-of-" + endpoint, Provider: "github", ID: id, Type: "push", RequestID: "request-" + id,
			SourceIP: "192.0.2.1", ReceivedAt: received.Add(time.Duration(len(w.all(endpoint))) * time.Second),
		},
		Method: "POST",
		URL:    "https://hooks.example.com/" + endpoint, Query: "order=42&odd=\xff", Credentials: &store.Credentials{Query: "token=x&order=42&odd=\xff"},
		Header: http.Header{"Content-Type": {"application/json"}, "X-Odd": {"a\xffb"}}, Body: []byte(`{"id":"` + id + `"}`),
	}
	outcome, leases, err := w.store.Accept(w.t.Context(), e, store.AcceptOptions{Window: time.Hour, Lease: time.Hour, Targets: targets})
	w.must(err)
	if outcome != store.Accepted {
		w.t.Fatalf("%s %s is %v, want accepted", endpoint, id, outcome)
	}
	w.tell(endpoint, id, audit.Accepted, e.ReceivedAt)
	return leases
}

func (w *world) all(endpoint string) []store.JournalRecord {
	w.t.Helper()
	kept, err := w.store.Journal(w.t.Context(), endpoint, maxJournal)
	w.must(err)
	return kept
}

// tell writes into the journal of an endpoint.
func (w *world) tell(endpoint, id string, status audit.Status, at time.Time) {
	w.t.Helper()
	text, err := json.Marshal(&audit.Record{
		Time: at.Add(time.Millisecond), Endpoint: "forged/by-the-record", Provider: "github", EventID: id, EventType: "push", ReceivedAt: at,
		RequestID: "request-" + id, Status: status, SourceIP: "192.0.2.1", BodyBytes: 9, StatusCode: 200, DurationMS: 1.6, Receiver: "receiver-1",
	})
	w.must(err)
	w.must(w.store.AppendJournal(w.t.Context(), []store.JournalEntry{{Endpoint: endpoint, Record: text}}, nil))
}

// deliver ends deliveries well.
func (w *world) deliver(endpoint, id string, leases ...store.Lease) {
	w.t.Helper()
	for _, l := range leases {
		w.must(w.store.Delivered(w.t.Context(), l))
	}
	w.tell(endpoint, id, audit.Delivered, received)
}

// giveUp makes dead letters of deliveries.
func (w *world) giveUp(leases ...store.Lease) {
	w.t.Helper()
	for _, l := range leases {
		w.must(w.store.DeadLetter(w.t.Context(), l, store.Failure{Attempts: 3, Error: "the target answered 500"}))
	}
}

// answered is what came back.
type answered struct {
	code   int
	header http.Header
	body   []byte
}

func (w *world) do(method, path, accept, body string) answered {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	w.must(err)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	response, err := w.server.Client().Do(r)
	w.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	w.must(err)
	return answered{response.StatusCode, response.Header, text}
}

// get reads an object.
func get[T any](w *world, path string) *T {
	w.t.Helper()
	return read[T](w, w.do(http.MethodGet, base+path, "", ""), http.StatusOK)
}

// read decodes an answer.
func read[T any](w *world, a answered, code int) *T {
	w.t.Helper()
	if a.code != code {
		w.t.Fatalf("the answer is %d %s, want %d", a.code, a.body, code)
	}
	object := new(T)
	if err := json.Unmarshal(a.body, object); err != nil {
		w.t.Fatalf("the answer is no JSON: %v: %s", err, a.body)
	}
	return object
}

// refuse expects an error that says something.
func (w *world) refuse(method, path string, code int, says string) *metav1.Status {
	w.t.Helper()
	status := read[metav1.Status](w, w.do(method, base+path, "", ""), code)
	if status.Kind != "Status" || status.Status != metav1.StatusFailure || int(status.Code) != code || !strings.Contains(status.Message, says) {
		w.t.Errorf("%s %s is answered by %+v, want a Status with code %d that says %q", method, path, status, code, says)
	}
	return status
}
