package conformance

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/intake"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
	"sallyport.dev/sallyport/test/redistest"
)

// TestHTTP sends each vector to an endpoint of its own, the whole way: a
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
		t.Run(v.ID, func(t *testing.T) {
			sender := senders[v.presetName(senders)]
			switch {
			case sender == nil:
				t.Errorf("there is no preset for %s %s", v.Provider, v.Variant)
			case v.Kind == "handshake":
				gate.shakeHands(t, v, sender)
			default:
				gate.try(t, v, sender)
			}
		})
	}
	t.Logf("%d accepted, %d refused, %d handshakes, %d authentic but abridged", gate.accepted, gate.refused, gate.handshakes, gate.abridged)
}

// gate counts what became of the vectors.
type gate struct {
	events                                  *store.Store
	accepted, refused, handshakes, abridged int
}

// try posts a vector. An authentic one is accepted, and a duplicate the second
// time; any other is the sender's fault. Some published examples are signed but
// abridged: they lack the id of the event, the form of its body, or claims of the
// token, that the sender's requests have. Those are refused for just that, and
// accepted by a provider that does not ask for it.
func (g *gate) try(t *testing.T, v *vector, sender *provider.Sender) {
	v.wait(sender)
	r := v.route(t, sender)
	handler := g.handler(t, r, v)
	answer := v.send(t, handler, r.Path)
	if !v.Valid {
		if answer.status < 400 || answer.status >= 500 {
			t.Errorf("answered %d %s, but it is not authentic: %s", answer.status, answer.body, v.Note)
		}
		g.refused++
		return
	}
	if reason := v.judge(t, &r.Provider); slices.Contains(abridged, reason) {
		wanted := []int{http.StatusBadRequest, http.StatusUnauthorized, r.Responses.Unauthenticated, r.Responses.Malformed, r.Responses.Invalid}
		if !slices.Contains(wanted, answer.status) {
			t.Errorf("answered %d %s, but it lacks what the sender's requests have (%s)", answer.status, answer.body, reason)
		}
		g.abridged++
		r = v.undemanding(r)
		handler = g.handler(t, r, v)
		answer = v.send(t, handler, r.Path)
	}
	if answer.status < 200 || answer.status > 299 {
		t.Errorf("answered %d %s, but it is authentic: %s", answer.status, answer.body, v.Note)
		return
	}
	g.accepted++
	if answer.outcome == audit.Handshake {
		return // signed like an event, and no event
	}
	if second := v.send(t, handler, r.Path); second.status != answer.status || second.outcome != audit.Duplicate {
		t.Errorf("answered %d %q the second time, want a duplicate", second.status, second.outcome)
	}
}

// abridged are the reasons for which a genuine example is refused that leaves
// something out.
var abridged = []verify.Reason{verify.MissingID, verify.MalformedBody, verify.ClaimMismatch}

// undemanding is the route without what examples leave out. Keys that the sender
// publishes become those of the endpoint, because a public issuer of tokens is
// never believed without claims that say whom they are for.
func (v *vector) undemanding(r route.Route) route.Route {
	r.Provider.Identity.ID = append(slices.Clone(r.Provider.Identity.ID), "{signed_sha256}")
	r.Provider.Schemes = slices.Clone(r.Provider.Schemes)
	for i := range r.Provider.Schemes {
		scheme := &r.Provider.Schemes[i]
		scheme.BodyFormat = verify.AnyBody
		if scheme.JWT == nil {
			continue
		}
		scheme.JWT = &verify.JWT{Algorithms: scheme.JWT.Algorithms, MaxAgeSeconds: scheme.JWT.MaxAgeSeconds}
		scheme.KeySource = nil
		r.Keys = []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte(v.secret()))}}
	}
	return r
}

// shakeHands sends a handshake and compares the answer with what is stated.
func (g *gate) shakeHands(t *testing.T, v *vector, sender *provider.Sender) {
	v.signAsDiscord(t)
	v.addToken(sender)
	r := v.route(t, sender)
	answer := v.send(t, g.handler(t, r, v), r.Path)
	g.handshakes++
	if answer.status != v.Expect.Status {
		t.Fatalf("answered %d %s, want %d", answer.status, answer.body, v.Expect.Status)
	}
	for name, want := range v.Expect.Headers {
		if got := answer.header.Get(name); got != want {
			t.Errorf("the header %s is %q, want %q", name, got, want)
		}
	}
	if v.Expect.Body != nil && answer.body != *v.Expect.Body {
		t.Errorf("the body is %q, want %q", answer.body, *v.Expect.Body)
	}
	if v.Expect.JSON != nil && !sameJSON(t, answer.body, string(v.Expect.JSON)) {
		t.Errorf("the body is %s, want %s", answer.body, v.Expect.JSON)
	}
	if v.Valid && answer.outcome != audit.Handshake {
		t.Errorf("the audit says %q", answer.outcome)
	}
}

// addToken puts the endpoint's token into the URL of a handshake where the sender
// proves itself by that: documentation shows such a request without the query that the
// URL of the endpoint has.
func (v *vector) addToken(sender *provider.Sender) {
	scheme := &sender.Provider.Schemes[0]
	if at := scheme.Signature.From[0]; scheme.Algorithm == verify.Token && at.Query != "" && v.Secret == "" {
		v.Secret = "a-token-that-is-in-the-URL"
		v.URL += "?" + at.Query + "=" + v.Secret
	}
}

// signAsDiscord signs a handshake of Discord, whose documentation shows it
// without the signature that it has.
func (v *vector) signAsDiscord(t *testing.T) {
	t.Helper()
	if v.Provider != "discord" {
		return
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	const timestamp = "1767225600"
	v.Key = map[string]string{"ed25519_public": hex.EncodeToString(public)}
	v.Headers = map[string]string{
		"X-Signature-Timestamp": timestamp,
		"X-Signature-Ed25519":   hex.EncodeToString(ed25519.Sign(private, append([]byte(timestamp), v.Body...))),
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Fatalf("not JSON: %q", text)
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// handler serves one route at a time that stands still.
func (g *gate) handler(t *testing.T, r route.Route, v *vector) *recorder {
	t.Helper()
	data, err := route.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	live := route.NewLive("cluster.local")
	live.Replace([]route.Object{{Name: route.SecretName(r.Endpoint.Namespace, r.Endpoint.Name), Path: r.Path, Data: data}})
	heard := &recorder{records: make(chan audit.Record, 8)}
	heard.Handler = intake.NewHandler(intake.Options{
		Routes: live, Store: g.events, Deliverer: unhurried{}, Lease: time.Minute, Audit: heard,
		Metrics: intake.NewMetrics(prometheus.NewRegistry(), live), Logger: slog.New(slog.DiscardHandler),
		Senders: egress.NewWithTransport(egress.ForWebhooks, v), Now: v.now,
	})
	return heard
}

// recorder is a handler whose audit can be read.
type recorder struct {
	http.Handler
	records chan audit.Record
}

// Record implements audit.Sink.
func (r *recorder) Record(record audit.Record) { r.records <- record }

// RoundTrip is the Internet as the vector knows it: it holds the certificate of
// the sender, at its URL.
func (v *vector) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != v.Key["cert_url"] {
		return nil, fmt.Errorf("there is nothing at %s", r.URL)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(v.Key["x509_pem"]))}, nil
}

// route compiles an endpoint for the vector.
func (v *vector) route(t *testing.T, sender *provider.Sender) route.Route {
	t.Helper()
	result := compile.Endpoint(v.input(sender))
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

// input is what the endpoint of the vector is compiled from.
func (v *vector) input(sender *provider.Sender) compile.Input {
	endpoint := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: "conformance", Name: strings.ToLower(v.ID), UID: "u", CreationTimestamp: metav1.Unix(1, 0)},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  sender.Provider.Name,
			SecretRef: &v1alpha1.SecretKeyReference{Name: "secret", Key: "secret"},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: "target", Port: intstr.FromInt32(80), Scheme: "http", Path: "/"}},
		},
	}
	// A handshake of a sender that signs nothing has no secret, but its endpoint has.
	entries := map[string][]byte{"secret": []byte(cmp.Or(v.secret(), "a secret that the vector does not need"))}
	given := v.parameters()
	for _, parameter := range sender.Provider.Parameters {
		switch value := given[parameter.Name]; {
		case value == "":
		case parameter.Sensitive:
			entries[parameter.Name] = []byte(value)
		default:
			endpoint.Spec.Parameters = append(endpoint.Spec.Parameters, v1alpha1.ParameterValues{Name: parameter.Name, Values: []string{value}})
		}
	}
	in := compile.Input{
		Endpoint: endpoint,
		Sender:   sender,
		Secret:   compile.SecretFacts{Found: true, Entries: entries},
		Services: map[string]*corev1.Service{"target": {Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}},
		Settings: compile.Settings{PublicURL: "https://hooks.example.com"},
		Fetched:  map[verify.FetchSource]compile.Document{},
		Now:      v.now(),
	}
	for _, source := range compile.KeySources(endpoint, sender, in.Secret) {
		in.Fetched[source] = compile.Document{Keys: []byte(v.Key["pem"])}
	}
	return in
}

// answered is what the sender and the audit see.
type answered struct {
	status  int
	header  http.Header
	body    string
	outcome audit.Status
}

// send sends the vector as its sender would.
func (v *vector) send(t *testing.T, handler *recorder, path string) answered {
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
	record := <-handler.records
	return answered{status: response.StatusCode, header: response.Header, body: string(text), outcome: record.Status}
}

// unhurried leaves deliveries to their leases: nothing is delivered here.
type unhurried struct{ intake.Deliverer }

func (unhurried) Offer(*store.Event, store.Lease) {}
