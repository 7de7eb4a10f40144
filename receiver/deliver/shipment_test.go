package deliver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// request is what a target would get of an event.
func requestOf(t *testing.T, target route.Target, event *store.Event) *http.Request {
	t.Helper()
	target.Service, target.Namespace, target.Scheme, target.Port = "api", "team", "http", 80
	s := &shipment{route: &route.Route{Target: target}, event: event, number: 1}
	request, err := s.request(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func TestQueryReachesTheTarget(t *testing.T) {
	for _, test := range []struct{ path, query, want string }{
		{"/in", "", "/in"},
		{"/in", "order=42", "/in?order=42"},
		{"/in", "b=2&&a=%31+x&a=;#\xff&", "/in?b=2&&a=%31+x&a=;#\xff&"},
		{"/in?tenant=a%20b", "", "/in?tenant=a%20b"},
		{"/in?tenant=a%20b", "order=42", "/in?tenant=a%20b&order=42"},
	} {
		request := requestOf(t, route.Target{Path: test.path}, &store.Event{Method: http.MethodPut, Query: test.query})
		if got := request.URL.RequestURI(); got != test.want || request.Method != http.MethodPut {
			t.Errorf("%s and %q become %s %q, want %q", test.path, test.query, request.Method, got, test.want)
		}
	}
}

// The bytes on the wire, in an attempt by the real transport.
func TestQueryOnTheWire(t *testing.T) {
	w := newWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	lines := make(chan string, 1)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		reader := bufio.NewReader(connection)
		line, _ := reader.ReadString('\n')
		lines <- line
		for header := line; strings.TrimSpace(header) != ""; {
			header, _ = reader.ReadString('\n')
		}
		_, _ = io.WriteString(connection, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		_ = connection.Close()
	}()
	endpoint := w.targetAt("api", listener.Addr().String())
	event, lease := w.accept(endpoint, "1")
	event.Query = "b=2&&a=%31&x=\xc3\xa4"
	w.run().Offer(event, lease)
	if got, want := await(t, lines, "a request"), "POST /in?b=2&&a=%31&x=\xc3\xa4 HTTP/1.1\r\n"; got != want {
		t.Errorf("the request starts with %q, want %q", got, want)
	}
	w.want(audit.Delivered, 1)
}

func TestTargetLearnsThePublicURL(t *testing.T) {
	proxied := http.Header{
		"X-Forwarded-Host": {"evil.example"}, "X_forwarded_proto": {"http"}, "X-Forwarded-Port": {"1"}, "X-Forwarded-Uri": {"/x"},
		"Forwarded": {"host=evil.example"}, "X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Prefix": {"/y"},
	}
	for _, test := range []struct {
		name, url, query string
		want             http.Header
	}{
		{"with a query", "https://hooks.example.com:8443/team/twilio", "order=42&x=%2F", http.Header{
			"Sallyport-Url":    {"https://hooks.example.com:8443/team/twilio?order=42&x=%2F"},
			"X-Forwarded-Host": {"hooks.example.com:8443"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Uri": {"/team/twilio?order=42&x=%2F"},
			"X-Forwarded-For": {"192.0.2.7"},
		}},
		{"without one", "http://hooks.example.com/team/twilio", "", http.Header{
			"Sallyport-Url":    {"http://hooks.example.com/team/twilio"},
			"X-Forwarded-Host": {"hooks.example.com"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Uri": {"/team/twilio"},
			"X-Forwarded-For": {"192.0.2.7"},
		}},
		{"not known", "", "order=42", proxied},
	} {
		request := requestOf(t, route.Target{Path: "/"}, &store.Event{Method: http.MethodPost, URL: test.url, Query: test.query, Header: proxied})
		got := http.Header{}
		for name, values := range request.Header {
			if lower := strings.ToLower(name); strings.Contains(lower, "forwarded") || name == "Sallyport-Url" {
				got[name] = values
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// A target gets credentials only if it asks for them, whatever is stored for others.
func TestCredentialsGoWhereTheyAreAskedFor(t *testing.T) {
	event := &store.Event{
		Method: http.MethodPost, URL: "https://hooks.example.com/team/hub", Query: "b=2", Header: http.Header{"X-A": {"1"}},
		Credentials: &store.Credentials{Header: http.Header{"Authorization": {"Bearer x"}}, Query: "token=x&b=2"},
	}
	removed := requestOf(t, route.Target{Path: "/in"}, event)
	if removed.Header.Get("Authorization") != "" || removed.URL.RequestURI() != "/in?b=2" || removed.Header.Get("Sallyport-Url") != event.URL+"?b=2" {
		t.Errorf("the target gets %s and %v", removed.URL, removed.Header)
	}
	forwarded := requestOf(t, route.Target{Path: "/in", ForwardCredentials: true}, event)
	if forwarded.Header.Get("Authorization") != "Bearer x" || forwarded.Header.Get("X-A") != "1" || forwarded.URL.RequestURI() != "/in?token=x&b=2" {
		t.Errorf("the target gets %s and %v", forwarded.URL, forwarded.Header)
	}
	if len(event.Header) != 1 {
		t.Errorf("the event's own headers were changed: %v", event.Header)
	}
}

func BenchmarkRequest(b *testing.B) {
	s := shipment{
		route: &route.Route{Target: route.Target{Namespace: "team", Service: "api", Port: 80, Scheme: "http", Path: "/in"}},
		event: &store.Event{
			Meta: event.Meta{Endpoint: "team/hooks", Provider: "github", ID: "evt_1", Type: "push", RequestID: "req-1", ReceivedAt: anyTime},
			URL:  "https://hooks.example.com/team/hooks", Method: http.MethodPost, Body: make([]byte, 2048),
			Header: http.Header{
				"Content-Type": {"application/json"}, "User-Agent": {"GitHub-Hookshot"}, "Accept": {"*/*"}, "X-Github-Event": {"push"},
				"X-Github-Delivery": {"evt_1"}, "X-Hub-Signature-256": {"sha256=0"}, "X-Github-Hook-Id": {"1"},
			},
		},
		number: 1,
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.request(b.Context(), anyTime); err != nil {
			b.Fatal(err)
		}
	}
}
