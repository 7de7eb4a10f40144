package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

const (
	dialTimeout    = 5 * time.Second
	idleTimeout    = 90 * time.Second
	maxHeaderBytes = 64 << 10 // of an answer
	maxIdlePerHost = 64       // the default of 2 makes connections come and go under load
)

// Connections maps "namespace/service:port" to a host:port that is dialled
// instead: for development and tests without cluster DNS.
type Connections map[string]string

// errForbidden says that a Service's name led to an address that no Service has.
var errForbidden = errors.New("the Service resolves to a loopback, link-local, multicast, unspecified or metadata address, which is never dialled")

// NewTransport makes a transport for targets. It reaches a Service by its full
// DNS name and refuses addresses through which a name could lead back into the
// pod, the node or a cloud's metadata service. It uses no proxy.
func NewTransport(clusterDomain string, connect Connections) *http.Transport {
	return &http.Transport{
		DialContext:            newDialer(clusterDomain, connect).dial,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // the answer is thrown away
	}
}

type dialer struct {
	domain          string
	connect         Connections
	checked, mapped *net.Dialer
}

func newDialer(clusterDomain string, connect Connections) dialer {
	return dialer{
		domain:  strings.Trim(clusterDomain, "."),
		connect: connect,
		checked: &net.Dialer{Timeout: dialTimeout, ControlContext: refuseForbidden},
		mapped:  &net.Dialer{Timeout: dialTimeout},
	}
}

// dial gets the address that serviceURL made: service.namespace:port.
func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	service, namespace, _ := strings.Cut(host, ".")
	if to, ok := d.connect[namespace+"/"+service+":"+port]; ok {
		return d.mapped.DialContext(ctx, network, to)
	}
	// The dot at the end keeps resolvers from trying their search path.
	full := fmt.Sprintf("%s.%s.svc.%s.", service, namespace, d.domain)
	return d.checked.DialContext(ctx, network, net.JoinHostPort(full, port))
}

// refuseForbidden looks at the address itself, after the name was resolved, so
// that no answer of a DNS server can get around it.
func refuseForbidden(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := embedded(at.Addr())
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || metadata[ip] {
		return errForbidden
	}
	return nil
}

// metadata are the metadata services of clouds that are not link-local, as
// 169.254.169.254 is: AWS by IPv6, Alibaba Cloud, Oracle Cloud, Azure.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("100.100.100.200"): true,
	netip.MustParseAddr("192.0.0.192"):     true,
	netip.MustParseAddr("168.63.129.16"):   true,
}

// nat64 is the well-known prefix whose addresses end in an IPv4 address
// (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// embedded returns the IPv4 address that an IPv6 address stands for, else ip.
func embedded(ip netip.Addr) netip.Addr {
	if nat64.Contains(ip) {
		b := ip.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip.Unmap()
}

// serviceURL is the URL of a target; dial knows what its host means.
func serviceURL(t route.Target) string {
	return fmt.Sprintf("%s://%s.%s:%d%s", t.Scheme, t.Service, t.Namespace, t.Port, t.Path)
}

// targetName is how audit records name a target.
func targetName(t route.Target) string {
	return fmt.Sprintf("%s/%s:%d", t.Namespace, t.Service, t.Port)
}
