package conformance

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
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
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
	"sallyport.dev/sallyport/test/redistest"
)

// ground is a receiver that serves each preset at two endpoints: one with the
// secret of the specimen, one with another secret.
type ground struct {
	address string
	clock   chan time.Time
	records chan audit.Record
	paths   map[string]string // by the name of the endpoint

	certificates map[string]string // by URL
	accepted     *accepter
}

// accepter is a store that remembers to which targets the last event goes.
type accepter struct {
	*store.Store
	targets []string
}

// Accept implements intake.Store.
func (a *accepter) Accept(ctx context.Context, e *store.Event, o store.AcceptOptions) (store.Outcome, []store.Lease, error) {
	a.targets = o.Targets
	return a.Store.Accept(ctx, e, o)
}

// Record implements audit.Sink.
func (g *ground) Record(r audit.Record) { g.records <- r }

// newGround serves the specimens' routes, each after some changes.
func newGround(t *testing.T, all senders, specimens []specimen, changes ...func(*route.Route)) *ground {
	t.Helper()
	events, err := store.Open(t.Context(), store.Options{URL: redistest.Start(t).URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	g := &ground{clock: make(chan time.Time, 1), records: make(chan audit.Record, 1), paths: map[string]string{}, certificates: map[string]string{}, accepted: &accepter{Store: events}}
	live := route.NewLive("cluster.local")
	live.Replace(g.routes(t, all, specimens, changes))
	server := httptest.NewServer(intake.NewHandler(intake.Options{
		Routes: live, Store: g.accepted, Deliverer: unhurried{}, Lease: time.Minute, Audit: g,
		Metrics: intake.NewMetrics(prometheus.NewRegistry(), live), Logger: slog.New(slog.DiscardHandler), Now: g.now,
		Senders: egress.NewWithTransport(egress.ForWebhooks, g),
	}))
	t.Cleanup(server.Close)
	g.address = server.Listener.Addr().String()
	return g
}

// now is the receiver's clock.
func (g *ground) now() time.Time {
	now := <-g.clock
	g.clock <- now
	return now
}

// send sends one request, and returns the answer's status and what the audit says.
func (g *ground) send(t *testing.T, s *specimen, m mutant) (int, audit.Record) {
	t.Helper()
	answer, record := g.ask(t, s, m)
	return answer.status, record
}

// ask sends one request on a connection of its own, and returns the answer and what
// the audit says.
func (g *ground) ask(t *testing.T, s *specimen, m mutant) (answered, audit.Record) {
	t.Helper()
	select {
	case <-g.clock:
	default:
	}
	g.clock <- s.now().Add(m.later)
	connection, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := connection.Write(m.wire.text(g.address, g.paths[s.endpoint(m.stranger)])); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: m.wire.method})
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case record := <-g.records:
		return answered{status: response.StatusCode, header: response.Header, body: string(text), outcome: record.Status}, record
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: answered %d, which did not come from the receiver", m.name, response.StatusCode)
		return answered{}, audit.Record{}
	}
}

func (s *specimen) endpoint(stranger bool) string {
	if stranger {
		return s.preset + "-stranger"
	}
	return s.preset
}

func (g *ground) routes(t *testing.T, all senders, specimens []specimen, changes []func(*route.Route)) (objects []route.Object) {
	t.Helper()
	for i := range specimens {
		s := &specimens[i]
		g.certificates[s.wire.get(s.certificate())] = s.example.Key
		for _, stranger := range []bool{false, true} {
			compiled := s.route(t, all[s.preset], stranger)
			for _, change := range changes {
				change(&compiled)
			}
			data, err := route.Encode(compiled)
			if err != nil {
				t.Fatalf("%s: %v", s.preset, err)
			}
			g.paths[s.endpoint(stranger)] = compiled.Path
			objects = append(objects, route.Object{Name: route.SecretName("conformance", s.endpoint(stranger)), Path: compiled.Path, Data: data})
		}
	}
	return objects
}

// route is that of an endpoint which verifies the specimen, or has another secret.
func (s *specimen) route(t *testing.T, sender *provider.Sender, stranger bool) route.Route {
	t.Helper()
	given := credentials{s.example.Secret, s.example.Key, s.example.Parameters}
	if stranger {
		given = s.otherCredentials()
	}
	result := compile.Endpoint(given.input(sender, s.endpoint(stranger), s.now()))
	compiled := *result.Route
	if compiled.Unavailable != "" {
		t.Fatalf("%s: %s", s.preset, compiled.Unavailable)
	}
	if s.example.Request.URL != "" {
		compiled.PublicURL, _, _ = strings.Cut(s.example.Request.URL, "?")
	}
	return compiled
}

// input is what the endpoint is compiled from.
func (c credentials) input(sender *provider.Sender, name string, now time.Time) compile.Input {
	endpoint := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: "conformance", Name: name, UID: "u", CreationTimestamp: metav1.Unix(1, 0)},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  sender.Provider.Name,
			SecretRef: &v1alpha1.SecretKeyReference{Name: "secret", Key: "secret"},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: "target", Port: intstr.FromInt32(80), Scheme: "http", Path: "/"}},
		},
	}
	in := compile.Input{
		Endpoint: endpoint,
		Sender:   sender,
		Secret:   compile.SecretFacts{Found: true, Entries: map[string][]byte{"secret": []byte(c.secret)}},
		Services: map[string]*corev1.Service{"target": {Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}},
		Settings: compile.Settings{PublicURL: "https://hooks.example.com"},
		Fetched:  map[verify.FetchSource]compile.Document{},
		Now:      now,
	}
	for _, parameter := range sender.Provider.Parameters {
		c.give(&in, parameter)
	}
	for _, source := range compile.KeySources(endpoint, sender, in.Secret) {
		in.Fetched[source] = compile.Document{Keys: []byte(c.key)}
	}
	return in
}

// give gives the endpoint the values of a parameter.
func (c credentials) give(in *compile.Input, parameter verify.Parameter) {
	given := c.parameters
	i := slices.IndexFunc(given, func(p v1alpha1.ParameterValues) bool { return p.Name == parameter.Name })
	switch {
	case i < 0 && parameter.Sensitive:
		in.Secret.Entries[parameter.Name] = []byte("not-needed-by-events")
	case i < 0 && parameter.Required:
		in.Endpoint.Spec.Parameters = append(in.Endpoint.Spec.Parameters, v1alpha1.ParameterValues{Name: parameter.Name, Values: []string{"not-needed-by-events"}})
	case i < 0:
	case parameter.Sensitive:
		in.Secret.Entries[parameter.Name] = []byte(given[i].Values[0])
	default:
		in.Endpoint.Spec.Parameters = append(in.Endpoint.Spec.Parameters, given[i])
	}
}

// credentials are what an endpoint verifies with: a secret, what the sender
// publishes, and what the endpoint says of the sender.
type credentials struct {
	secret, key string
	parameters  []v1alpha1.ParameterValues
}

// otherCredentials are of the same form as the specimen's: those of an example
// with another secret, or else the same with one character changed. A sender that
// signs by a certificate has the same for everybody: there the parameters tell
// endpoints apart.
func (s *specimen) otherCredentials() credentials {
	parameters := s.example.Parameters
	for i := range s.others {
		other := &s.others[i]
		if other.Expect.Rejected == v1alpha1.RejectionReason(verify.WrongSignature) && (other.Secret != s.example.Secret || other.Key != s.example.Key) {
			return credentials{other.Secret, other.Key, parameters}
		}
	}
	key, own := s.example.Key, s.example.Secret
	switch {
	case s.certificate() != verify.Location{}:
		value := parameters[0].Values[0]
		return credentials{own, key, []v1alpha1.ParameterValues{{Name: parameters[0].Name, Values: []string{changed(value, len(value)-1)}}}}
	case key != "":
		return credentials{own, changed(key, len(key)/2), parameters}
	}
	return credentials{changed(own, len(own)/2), "", parameters}
}

// RoundTrip is the Internet as the specimens know it: it holds certificates.
func (g *ground) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := g.certificates[r.URL.String()]
	if !ok {
		return nil, errors.New("there is nothing")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(text))}, nil
}
