package eventsapi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The life of a certificate to serve with.
const (
	certificateLife = 365 * 24 * time.Hour
	// clockSkew is how far clocks of the API server may be behind.
	clockSkew = time.Hour
)

// entryCA of the Secret has the CAs to trust: that of the certificate, and the one
// before it, with which another replica may still serve.
const entryCA = "ca.crt"

// servingCertificate is what the events API is served with. Its CA has signed nothing else, and its key
// is thrown away.
type servingCertificate struct {
	authorities []byte // PEM
	certificate tls.Certificate
}

// newServingCertificate makes a certificate for a name. previous are CAs that are trusted, too.
func newServingCertificate(host string, now time.Time, previous []byte) (map[string][]byte, error) {
	ca, caKey, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "sallyport-events-api-ca"}, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return nil, err
	}
	leaf, key, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(certificateLife),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return map[string][]byte{
		entryCA:                 append(encodePEM("CERTIFICATE", ca.Raw), previous...),
		corev1.TLSCertKey:       encodePEM("CERTIFICATE", leaf.Raw),
		corev1.TLSPrivateKeyKey: encodePEM("PRIVATE KEY", der),
	}, nil
}

// sign makes a certificate with a new key; without an authority it signs itself.
func sign(template, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, fmt.Errorf("draw a serial number: %w", err)
	}
	if authority == nil {
		authority, authorityKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return nil, nil, fmt.Errorf("sign a certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// errRenew: the certificate serves, but not for long.
var errRenew = errors.New("less than a third of the certificate's life is left")

// readServingCertificate reads what newServingCertificate made. With errRenew the certificate can be used;
// with any other error there is none.
func readServingCertificate(data map[string][]byte, host string, now time.Time) (*servingCertificate, error) {
	certificate, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, errors.New("certificate and key are no pair") // says nothing of the key
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data[entryCA]) {
		return nil, errors.New("there is no CA")
	}
	leaf := certificate.Leaf
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: now}); err != nil {
		return nil, err
	}
	s := &servingCertificate{authorities: data[entryCA], certificate: certificate}
	if left := leaf.NotAfter.Sub(now); left < leaf.NotAfter.Sub(leaf.NotBefore)/3 {
		return s, errRenew
	}
	return s, nil
}

// firstAuthority is the CA of the certificate itself, without the one before it.
func firstAuthority(authorities []byte) []byte {
	block, _ := pem.Decode(authorities)
	if block == nil {
		return nil
	}
	return bytes.Clone(pem.EncodeToMemory(block))
}
