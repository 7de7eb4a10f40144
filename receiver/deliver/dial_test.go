package deliver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"sallyport.dev/sallyport/receiver/route"
)

func TestForbiddenAddresses(t *testing.T) {
	for address, want := range map[string]error{
		"10.96.0.10:80":                nil,
		"192.168.1.1:8080":             nil,
		"[fd00::1]:80":                 nil,
		"127.0.0.1:80":                 errForbidden,
		"127.9.9.9:80":                 errForbidden,
		"0.0.0.0:80":                   errForbidden,
		"169.254.169.254:80":           errForbidden,
		"100.100.100.200:80":           errForbidden,
		"168.63.129.16:80":             errForbidden,
		"224.0.0.1:80":                 errForbidden,
		"[::1]:80":                     errForbidden,
		"[::]:80":                      errForbidden,
		"[::ffff:127.0.0.1]:80":        errForbidden,
		"[fe80::1%eth0]:80":            errForbidden,
		"[ff02::1]:80":                 errForbidden,
		"[fd00:ec2::254]:80":           errForbidden,
		"[64:ff9b::169.254.169.254]:1": errForbidden,
		"[64:ff9b::10.0.0.1]:1":        nil,
	} {
		netip.MustParseAddrPort(address)
		if got := refuseForbidden(t.Context(), "tcp", address, nil); !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

// Whatever a name resolves to, the check sees the address itself.
func TestLoopbackIsNotDialled(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	d := newDialer("cluster.local", Connections{"team/api:80": listener.Addr().String()})
	if _, err := d.checked.DialContext(t.Context(), "tcp", listener.Addr().String()); !errors.Is(err, errForbidden) {
		t.Errorf("got %v, want errForbidden", err)
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
}
