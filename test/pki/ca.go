// Package pki makes CAs and certificates for one test.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// TB is as much of a [testing.TB] as a CA needs, so that programs that are no tests can have
// one, too.
type TB interface {
	Helper()
	// Fatalf doesn't return.
	Fatalf(format string, args ...any)
	// TempDir makes a directory that is gone with the test or program.
	TempDir() string
}

// CA signs certificates for one test.
type CA struct {
	// File is its certificate in PEM.
	File string

	tb   TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes a CA that is gone with the test.
func NewCA(tb TB) *CA {
	tb.Helper()
	c := &CA{tb: tb, dir: tb.TempDir(), key: newKey(tb)}
	c.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test's CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	c.File = c.sign("ca", c.cert, &c.key.PublicKey)
	return c
}

// Issue makes a certificate for a server of 127.0.0.1 or of a name, or for a
// client, and returns the PEM files of certificate and key.
func (c *CA) Issue(name string) (cert, key string) {
	c.tb.Helper()
	private := newKey(c.tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	cert = c.sign(name, template, &private.PublicKey)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		c.tb.Fatalf("encode a key: %v", err)
	}
	return cert, c.write(name+".key", "PRIVATE KEY", der)
}

func (c *CA) sign(name string, template *x509.Certificate, public *ecdsa.PublicKey) string {
	c.tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, public, c.key)
	if err != nil {
		c.tb.Fatalf("sign a certificate: %v", err)
	}
	return c.write(name+".crt", "CERTIFICATE", der)
}

func (c *CA) write(name, kind string, der []byte) string {
	c.tb.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		c.tb.Fatalf("write a certificate: %v", err)
	}
	return file
}

func newKey(tb TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("make a key: %v", err)
	}
	return key
}
