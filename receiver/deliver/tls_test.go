package deliver

import (
	"crypto/tls"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/test/pki"
)

// httpsTarget is a target with a certificate of ca for a name.
func (w *world) httpsTarget(service string, ca *pki.CA, name string, trusted string) string {
	w.t.Helper()
	certificate, err := tls.LoadX509KeyPair(ca.Issue(name))
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(answering(200))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	w.t.Cleanup(server.Close)
	endpoint := w.targetAt(service, strings.TrimPrefix(server.URL, "https://"))
	w.setRoute(endpoint, func(r *route.Route) {
		r.Target.Scheme, r.Target.CA, r.Delivery.Retry.MaxAttempts = "https", trusted, 1
	})
	return endpoint
}

func pemOf(t *testing.T, ca *pki.CA) string {
	t.Helper()
	text, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTargetProvesItsNameByTheAuthorityOfTheRoute(t *testing.T) {
	w := newWorld(t)
	ca, another := pki.NewCA(t), pki.NewCA(t)
	for service, c := range map[string]struct {
		name, trusted string
		want          audit.Status
	}{
		"right":       {"right.team.svc", pemOf(t, ca), audit.Delivered},
		"wrong-name":  {"api.other.svc", pemOf(t, ca), audit.DeadLettered},
		"wrong-ca":    {"wrong-ca.team.svc", pemOf(t, another), audit.DeadLettered},
		"system-only": {"system-only.team.svc", "", audit.DeadLettered},
	} {
		endpoint := w.httpsTarget(service, ca, c.name, c.trusted)
		w.offer(w.dispatcher(), endpoint, service)
		r := w.want(c.want, 1)
		if r.EventID != service || (c.want == audit.DeadLettered) != strings.Contains(r.ErrorMessage, "certificate") {
			t.Errorf("%s: %q", r.EventID, r.ErrorMessage)
		}
	}
}

func TestTransportsAreOnePerAuthority(t *testing.T) {
	ca := pemOf(t, pki.NewCA(t))
	pool := transports{base: NewTransport("cluster.local", nil)}
	plain, trusting := pool.of(route.Target{}), pool.of(route.Target{CA: ca})
	if plain != pool.base || trusting == pool.base || pool.of(route.Target{CA: ca, Service: "other"}) != trusting {
		t.Error("the transports are not one per authority")
	}
	for i := range maxAuthorities + 1 {
		pool.of(route.Target{CA: ca + strings.Repeat("\n", i)})
	}
	if len(pool.byCA) > maxAuthorities {
		t.Errorf("%d transports are kept", len(pool.byCA))
	}
}
