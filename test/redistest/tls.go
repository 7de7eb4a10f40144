package redistest

import (
	"net"

	"sallyport.dev/sallyport/test/pki"
)

// StartTLS runs a server that also listens for TLS, with a certificate of ca for
// name. If clients is true it wants a certificate of ca from them, too. The
// address for TLS is returned.
func StartTLS(tb TB, ca *pki.CA, name string, clients bool, args ...string) (*Server, string) {
	tb.Helper()
	cert, key := ca.Issue(name)
	want := "no"
	if clients {
		want = "yes"
	}
	_, port, _ := net.SplitHostPort(newAddr(tb))
	s := Start(tb, append([]string{"--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", ca.File, "--tls-auth-clients", want}, args...)...)
	return s, net.JoinHostPort("127.0.0.1", port)
}
