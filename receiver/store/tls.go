package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSFiles are PEM files for connections by TLS; each may be empty.
type TLSFiles struct {
	// CA holds the certificates that the servers' must be signed by; empty: the
	// system's. It is read once.
	CA string
	// Cert and Key are what this client shows to servers that ask for it
	// (tls-auth-clients). They are read for each connection, so that they can be
	// renewed.
	Cert, Key string
}

// apply puts the files into config, which is nil without TLS.
func (f TLSFiles) apply(config *tls.Config) error {
	switch {
	case f == TLSFiles{}:
		return nil
	case config == nil:
		return errors.New("files for TLS to redis were given, but the URL does not ask for TLS: write rediss://")
	case (f.Cert == "") != (f.Key == ""):
		return errors.New("a client certificate for redis needs both its file and the file of its key")
	}
	if f.Cert != "" {
		if _, err := f.clientCertificate(nil); err != nil {
			return err
		}
		config.GetClientCertificate = f.clientCertificate
	}
	return f.applyCA(config)
}

func (f TLSFiles) applyCA(config *tls.Config) error {
	if f.CA == "" {
		return nil
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return fmt.Errorf("read the CA of redis: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("read the CA of redis: %s holds no certificate in PEM", f.CA)
	}
	return nil
}

func (f TLSFiles) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("read the client certificate for redis: %w", err)
	}
	return &pair, nil
}

// namedTLS makes the client check each server by the name that it dials it by,
// or by serverName. The client's own parser fixes the name of the URL's host,
// which with Sentinels is not even that of a Redis.
func namedTLS(c *tls.Config, serverName string) *tls.Config {
	if c != nil {
		c.MinVersion = tls.VersionTLS12
		c.ServerName = serverName
	}
	return c
}

// explainTLS adds what to do to an error about the server's certificate.
func explainTLS(err error) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("the certificate of redis is not signed by a CA that is trusted here; give the file of its CA: %w", err)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("the certificate of redis is for another name; write the URL with a name that it has, or add server_name=NAME to it: %w", err)
	}
	return err
}
