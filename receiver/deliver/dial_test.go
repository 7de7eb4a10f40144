package deliver

import (
	"context"
	"errors"
	"net"
	"testing"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/route"
)

// Whatever a name resolves to, the check sees the address itself.
func TestLoopbackIsNotDialled(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	d := newDialer("cluster.local", Connections{"team/api:80": listener.Addr().String()})
	if _, err := d.checked.DialContext(t.Context(), "tcp", listener.Addr().String()); !errors.Is(err, egress.ErrForbidden) {
		t.Errorf("got %v, want egress.ErrForbidden", err)
	}
	conn, err := d.dial(t.Context(), "tcp", "api.team:80")
	if err != nil {
		t.Fatalf("a mapping may lead to loopback: %v", err)
	}
	_ = conn.Close()
}

func TestServicesAreDialledByFullName(t *testing.T) {
	d := newDialer("cluster.local.", nil)
	d.checked.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no DNS here")
	}}
	_, err := d.dial(t.Context(), "tcp", "api.team:8080")
	var dns *net.DNSError
	if !errors.As(err, &dns) || dns.Name != "api.team.svc.cluster.local." {
		t.Errorf("got %v, want a lookup of api.team.svc.cluster.local. with the dot at the end", err)
	}
}

func TestServiceURL(t *testing.T) {
	target := route.Target{Namespace: "team", Service: "api", Port: 8080, Scheme: "http", Path: "/hooks"}
	if got, want := serviceURL(target), "http://api.team:8080/hooks"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	target.Scheme = "https"
	if got, want := serviceURL(target), "https://api.team.svc:8080/hooks"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
