package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// TestHTTP posts each vector to an endpoint of its own, the whole way: a
// compiled route, the receiver's handler, a real Redis.
func TestHTTP(t *testing.T) {
	vectors := loadVectors(t)
	if vectors == nil {
		return
	}
	senders := loadSenders(t)
	events, err := store.Open(t.Context(), store.Options{URL: redistest.Start(t).URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	gate := &gate{events: events}
	for i := range vectors {
		v := &vectors[i]
		if sender := senders[v.presetName(senders)]; v.Kind == "delivery" && sender != nil {
			t.Run(v.ID, func(t *testing.T) { gate.try(t, v, sender) })
		}
	}
	t.Logf("%d accepted, %d refused, %d authentic but without the event id that the sender's events have", gate.accepted, gate.refused, gate.withoutID)
}

// gate counts what became of the vectors.
type gate struct {
	events                       *store.Store
	accepted, refused, withoutID int
}

// try posts a vector. An authentic one is accepted, and a duplicate the second
// time; any other is the sender's fault. Some published examples are signed
// but abridged, so that what identifies an event is missing: those are 400.
func (g *gate) try(t *testing.T, v *vector, sender *compile.Sender) {
	r := v.route(t, sender)
	handler := g.handler(t, r, v.now())
	status, answer := v.post(t, handler, r.Path)
	switch {
	case !v.Valid && (status < 400 || status >= 500):
		t.Errorf("answered %d %v, but it is not authentic: %s", status, answer, v.Note)
	case !v.Valid:
		g.refused++
	case status == http.StatusBadRequest && strings.Contains(answer["error"], "event id"):
		g.withoutID++
	case status != http.StatusOK || answer["status"] != "accepted":
		t.Errorf("answered %d %v, but it is authentic: %s", status, answer, v.Note)
	default:
		g.accepted++
		if status, answer = v.post(t, handler, r.Path); status != http.StatusOK || answer["status"] != "duplicate" {
			t.Errorf("answered %d %v the second time, want a duplicate", status, answer)
		}
	}
}

// handler serves one route at a time that stands still.
func (g *gate) handler(t *testing.T, r route.Route, now time.Time) http.Handler {
	t.Helper()
	data, err := route.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	live := route.NewLive("cluster.local")
	live.Replace([]route.Object{{Name: route.SecretName(r.Endpoint.Namespace, r.Endpoint.Name), Path: r.Path, Data: data}})
	return receiver.NewHandler(receiver.HandlerOptions{
		Routes: live, Accepter: g.events, Dispatcher: unhurried{}, Lease: time.Minute, Audit: unheard{},
		Metrics: receiver.NewMetrics(prometheus.NewRegistry(), live), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return now },
	})
}

// route compiles an endpoint for the vector.
func (v *vector) route(t *testing.T, sender *compile.Sender) route.Route {
	t.Helper()
	result := compile.Endpoint(compile.Input{
		Endpoint: &v1alpha1.WebhookEndpoint{
			ObjectMeta: metav1.ObjectMeta{Namespace: "conformance", Name: strings.ToLower(v.ID), UID: "u", CreationTimestamp: metav1.Unix(1, 0)},
			Spec: v1alpha1.WebhookEndpointSpec{
				Provider: sender.Provider.Name,
				Target:   v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: "target", Port: intstr.FromInt32(80), Scheme: "http", Path: "/"}},
			},
		},
		Sender:   sender,
		Secret:   compile.SecretFacts{Found: true, HasKey: true, Value: v.keys()[0].Reveal()},
		Service:  &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}},
		Settings: compile.Settings{PublicURL: "https://hooks.example.com"},
	})
	if len(result.ResolvedRefs) > 0 {
		t.Logf("the endpoint says: %s", result.ResolvedRefs.Message())
	}
	compiled := *result.Route
	compiled.PublicURL, _, _ = strings.Cut(v.URL, "?")
	if configured := v.Params["configured_url"]; configured != "" {
		compiled.PublicURL, _, _ = strings.Cut(configured, "?")
	}
	return compiled
}

// post sends the vector as its sender would.
func (v *vector) post(t *testing.T, handler http.Handler, path string) (int, map[string]string) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	query := v.request(t).RawQuery
	request, err := http.NewRequestWithContext(t.Context(), v.Method, server.URL+path+"?"+query, bytes.NewReader(v.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range v.Headers {
		request.Header.Set(name, value)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]string{}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("the answer is not JSON: %q", text)
	}
	return response.StatusCode, answer
}

// unhurried leaves deliveries to their leases: nothing is delivered here.
type unhurried struct{}

func (unhurried) Offer(*store.Event, store.Lease) {}

// unheard takes audit records, which are not what is looked at here.
type unheard struct{}

func (unheard) Record(audit.Record) {}
