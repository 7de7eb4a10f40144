package verify

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Bounds of a certificate chain.
const (
	maxCertificates   = 8
	maxCertificateURL = 1024 // bytes
)

// MaxCertificateBytes bounds Material.Certificate.
const MaxCertificateBytes = 64 << 10

// compiledCertificate is a CertificateSource, checked and made ready.
type compiledCertificate struct {
	from    place
	hosts   hostPattern
	dnsName string
}

// hostPattern is a regular expression that all of a host must match.
type hostPattern struct{ *regexp.Regexp }

// parseHostPattern anchors a pattern. One that any host matches is refused.
func parseHostPattern(text string) (hostPattern, error) {
	if text == "" {
		return hostPattern{}, errors.New("is missing")
	}
	re, err := compilePattern(text)
	if err == nil && (re.MatchString("any.invalid") || re.MatchString("")) {
		err = fmt.Errorf("is %q, which any host matches", text)
	}
	return hostPattern{re}, err
}

// allows reports whether text is an https URL of such a host: without a user,
// on the port of https, and without a fragment. The host is compared as it is
// written: senders write theirs in one way.
func (h hostPattern) allows(text string) bool {
	if len(text) > maxCertificateURL || strings.Contains(text, "#") {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" {
		return false
	}
	host := strings.TrimSuffix(u.Host, ":443")
	return host == u.Hostname() && h.MatchString(host)
}

// CertificateURL returns where the certificate is that the request names, for
// Material.Certificate; empty if the scheme that judges the request takes none.
// It is an https URL of a host of the sender; redirects must not be followed.
// The error is a *Rejection.
func (v *Verifier) CertificateURL(r *Request, parameters Parameters) (string, error) {
	s, _, rejection := v.judge(r, parameters)
	if rejection != nil {
		return "", rejection
	}
	if s.source == nil || s.source.certificate == nil {
		return "", nil
	}
	address, rejection := s.source.certificate.url(r)
	if rejection != nil {
		return "", rejection
	}
	return address, nil
}

// url reads the URL of the certificate.
func (c *compiledCertificate) url(r *Request) (string, *Rejection) {
	address, rejection := r.lookup(c.from)
	switch {
	case rejection != nil:
		return "", rejection
	case address == "":
		return "", reject(PreconditionFailed, "%s is missing: it says where the certificate is", c.from)
	case !c.hosts.allows(address):
		return "", reject(UntrustedCertificate, "%s must be an https URL of a host of the sender", c.from)
	}
	return address, nil
}

// certified is the key of the certificate that the request names, if that is to
// be trusted.
func (s *compiled) certified(r *Request, m *Material, now time.Time) ([]usableKey, *Rejection) {
	c := s.source.certificate
	if _, rejection := c.url(r); rejection != nil {
		return nil, rejection
	}
	if m.Certificate == nil {
		return nil, reject(NoCertificate, "the certificate that %s names could not be fetched", c.from)
	}
	leaf, rejection := c.trusted(m, now)
	if rejection != nil {
		return nil, rejection
	}
	k, err := s.algorithm(leaf.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, reject(UntrustedCertificate, "the key of the certificate that %s names does not fit the scheme %s", c.from, s.name)
	}
	return []usableKey{{index: noSecret, key: k}}, nil
}

// trusted returns the leaf of the chain, if it is valid now and, where a name is
// demanded, for that name (RFC 5280 §6, RFC 6125).
func (c *compiledCertificate) trusted(m *Material, now time.Time) (*x509.Certificate, *Rejection) {
	leaf, intermediates, ok := parseChain(m.Certificate)
	if !ok {
		return nil, reject(UntrustedCertificate, "what %s names is not a certificate in PEM", c.from)
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, reject(UntrustedCertificate, "the certificate that %s names is not valid now", c.from)
	}
	if c.dnsName == "" {
		return leaf, nil
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		DNSName: c.dnsName, Intermediates: intermediates, Roots: m.Roots, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // it signs messages, which has no usage of its own
	})
	if err != nil {
		return nil, reject(UntrustedCertificate, "the certificate that %s names must be for %s, by an authority that the receiver trusts", c.from, c.dnsName)
	}
	return leaf, nil
}

// parseChain reads certificates in PEM, leaf first.
func parseChain(text []byte) (leaf *x509.Certificate, intermediates *x509.CertPool, ok bool) {
	if len(text) > MaxCertificateBytes {
		return nil, nil, false
	}
	intermediates = x509.NewCertPool()
	for range maxCertificates {
		block, rest := pem.Decode(text)
		if block == nil {
			return leaf, intermediates, leaf != nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" {
			return nil, nil, false
		}
		if leaf == nil {
			leaf = c
		} else {
			intermediates.AddCert(c)
		}
		text = rest
	}
	return nil, nil, false
}
