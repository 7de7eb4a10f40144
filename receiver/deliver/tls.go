package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"

	"sallyport.dev/sallyport/receiver/route"
)

// maxAuthorities bounds how many transports are kept. They are few: teams have a
// CA for all their Services.
const maxAuthorities = 256

// transports are one for each set of authorities, so that no connection is used
// for a target that trusts others. It is safe for concurrent use.
type transports struct {
	base http.RoundTripper // trusts the authorities of the system

	mu   sync.Mutex
	byCA map[string]*http.Transport
}

// of is the transport of a target. One that can't be cloned, as in tests, serves
// all.
func (t *transports) of(target route.Target) http.RoundTripper {
	base, ok := t.base.(*http.Transport)
	if !ok || target.CA == "" {
		return t.base
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.byCA[target.CA]; found != nil {
		return found
	}
	if len(t.byCA) >= maxAuthorities {
		t.forget()
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(target.CA)) // the route was validated; an empty pool would trust nobody
	made := base.Clone()
	made.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if t.byCA == nil {
		t.byCA = map[string]*http.Transport{}
	}
	t.byCA[target.CA] = made
	return made
}

// forget starts over; what is under way ends on its own connections. The caller
// holds mu.
func (t *transports) forget() {
	for _, old := range t.byCA {
		old.CloseIdleConnections()
	}
	clear(t.byCA)
}
