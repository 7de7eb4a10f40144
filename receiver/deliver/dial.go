package deliver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/route"
)

const (
	dialTimeout    = 5 * time.Second
	maxHeaderBytes = 64 << 10 // of an answer

	// idleTimeout of a kept connection. It is shorter than those of common servers (5 s
	// of Node, uvicorn and Apache), so that they rarely close a connection on which a
	// request is on its way. What that leaves is tried again, see withOwn.
	idleTimeout = 4 * time.Second
	// maxIdlePerHost is the most attempts at a time that a target may have: with fewer,
	// connections come and go under load.
	maxIdlePerHost = 1000
	// maxIdle bounds the kept connections to all targets: each takes some 20 KiB.
	maxIdle = 2048
)

// Connections maps "namespace/service:port" to a host:port that is dialled
// instead: for development and tests without cluster DNS.
type Connections map[string]string

// NewTransport makes a transport for targets. It reaches a Service by its full
// DNS name and refuses addresses through which a name could lead back into the
// pod, the node or a cloud's metadata service. It uses no proxy.
func NewTransport(clusterDomain string, connect Connections) *http.Transport {
	return &http.Transport{
		DialContext:            newDialer(clusterDomain, connect).dial,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		MaxIdleConns:           maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // the answer is thrown away, or passed on as it is
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
		checked: &net.Dialer{Timeout: dialTimeout, ControlContext: egress.RefuseForbidden},
		mapped:  &net.Dialer{Timeout: dialTimeout},
	}
}

// dial gets the address that serviceURL made: service.namespace:port, or
// service.namespace.svc:port.
func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	service, namespace, _ := strings.Cut(strings.TrimSuffix(host, tlsSuffix), ".")
	if to, ok := d.connect[namespace+"/"+service+":"+port]; ok {
		return d.mapped.DialContext(ctx, network, to)
	}
	// The dot at the end keeps resolvers from trying their search path.
	full := fmt.Sprintf("%s.%s.svc.%s.", service, namespace, d.domain)
	return d.checked.DialContext(ctx, network, net.JoinHostPort(full, port))
}

// serviceURL is the URL of a target; dial knows what its host means. With https
// it is also the name that the certificate must have: that which the certificates
// of Services in Kubernetes commonly have, whatever the domain of the cluster.
func serviceURL(t route.Target) string {
	suffix := ""
	if t.Scheme == "https" {
		suffix = tlsSuffix
	}
	return fmt.Sprintf("%s://%s.%s%s:%d%s", t.Scheme, t.Service, t.Namespace, suffix, t.Port, t.Path)
}

// tlsSuffix ends the host of an https target.
const tlsSuffix = ".svc"

// targetName is how audit records name a target; "": there is none any more.
func targetName(t route.Target) string {
	if t.Service == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s:%d", t.Namespace, t.Service, t.Port)
}
