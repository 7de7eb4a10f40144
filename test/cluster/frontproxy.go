package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// FrontProxyName is the name in the certificate by which the API server is known to
// those that it hands requests on to.
const FrontProxyName = "front-proxy-client"

// frontProxy is the CA of such certificates.
type frontProxy struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newFrontProxy makes a CA, has the API server trust it, and gives it a certificate,
// as kubeadm does.
func newFrontProxy(dir string, apiServer *envtest.APIServer) (*frontProxy, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	p := &frontProxy{}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	template := certificateFor("front-proxy-ca")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &p.key.PublicKey, p.key)
	if err != nil {
		return nil, err
	}
	if p.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	client, err := p.issue(FrontProxyName)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		flag, name, kind string
		der              []byte
	}{
		{"requestheader-client-ca-file", "ca.crt", "CERTIFICATE", der},
		{"proxy-client-cert-file", "client.crt", "CERTIFICATE", client.Certificate[0]},
		{"proxy-client-key-file", "client.key", "PRIVATE KEY", key},
	} {
		path := filepath.Join(dir, file.name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der}), 0o600); err != nil {
			return nil, err
		}
		apiServer.Configure().Set(file.flag, path)
	}
	apiServer.Configure().
		Set("requestheader-allowed-names", FrontProxyName).
		Set("requestheader-username-headers", "X-Remote-User").
		Set("requestheader-uid-headers", "X-Remote-Uid").
		Set("requestheader-group-headers", "X-Remote-Group").
		Set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
	return p, nil
}

// FrontProxyCertificate issues a certificate of the CA of the API server's front
// proxy, for a name.
func (c *Cluster) FrontProxyCertificate(name string) (tls.Certificate, error) {
	return c.frontProxy.issue(name)
}

func (p *frontProxy) issue(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := certificateFor(name)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, p.certificate, &key.PublicKey, p.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue a certificate for %s: %w", name, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func certificateFor(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
	}
}
