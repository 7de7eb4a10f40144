package verify

import (
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// compiledCertificate is a CertificateSource, checked and made ready.
type compiledCertificate struct {
	from    place
	urls    *URLPattern
	issuers *URLPattern // nil: issuers are not fetched
	names   []string
}

// NamedCertificate is where the certificate is that a request names.
type NamedCertificate struct {
	// URL is one of the sender's: https, without a query. Redirects must not be
	// followed. Empty: the scheme that judges the request takes no certificate.
	URL string
	// Issuers are the URLs, http or https, where the certificates of its issuers may
	// be fetched if the document lacks them.
	Issuers *URLPattern
}

// Certificate returns where the certificate is that the request names, for
// Material.Certificate. The error is a *Rejection.
func (v *Verifier) Certificate(r *Request, parameters Parameters) (NamedCertificate, error) {
	s, _, rejection := v.choose(r, parameters)
	if rejection != nil {
		return NamedCertificate{}, rejection
	}
	if s.source == nil || s.source.certificate == nil {
		return NamedCertificate{}, nil
	}
	c := s.source.certificate
	address, _, rejection := c.url(r)
	if rejection != nil {
		return NamedCertificate{}, rejection
	}
	return NamedCertificate{URL: address, Issuers: c.issuers}, nil
}

// url reads the URL of the certificate, and its host.
func (c *compiledCertificate) url(r *Request) (address, host string, rejection *Rejection) {
	address, rejection = r.lookup(c.from)
	if rejection != nil {
		return "", "", rejection
	}
	if address == "" {
		return "", "", reject(PreconditionFailed, "%s is missing: it says where the certificate is", c.from)
	}
	host, ok := c.urls.match(address)
	if !ok {
		return "", "", reject(UntrustedCertificate, "%s must be an https URL of a certificate of the sender", c.from)
	}
	return address, host, nil
}

// certified is the key of the certificate that the request names, if that is to
// be trusted.
func (s *compiledScheme) certified(r *Request, m *Material, now time.Time) ([]usableKey, *Rejection) {
	c := s.source.certificate
	_, host, rejection := c.url(r)
	if rejection != nil {
		return nil, rejection
	}
	if m.Certificate == nil {
		return nil, reject(NoCertificate, "the certificate that %s names could not be fetched", c.from)
	}
	leaf, rejection := c.trusted(m, host, now)
	if rejection != nil {
		return nil, rejection
	}
	k, err := s.algorithm(leaf.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, reject(UntrustedCertificate, "the key of the certificate that %s names does not fit the scheme %s", c.from, s.name)
	}
	return []usableKey{{index: noSecret, key: k}}, nil
}

// trusted returns the first certificate, if it is valid now, for one of the names,
// and leads to a trusted root (RFC 5280 §6, RFC 6125).
func (c *compiledCertificate) trusted(m *Material, host string, now time.Time) (*x509.Certificate, *Rejection) {
	chain, err := keymaterial.ParseCertificates(m.Certificate)
	if err != nil {
		return nil, reject(UntrustedCertificate, "what %s names is not a certificate in PEM", c.from)
	}
	leaf := chain[0]
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, reject(UntrustedCertificate, "the certificate that %s names is not valid now", c.from)
	}
	names := c.namesAt(host)
	if !slices.ContainsFunc(names, func(name string) bool { return leaf.VerifyHostname(name) == nil }) {
		return nil, reject(UntrustedCertificate, "the certificate that %s names must be for %s", c.from, strings.Join(names, " or "))
	}
	if err := keymaterial.CheckChain(chain, x509.VerifyOptions{Roots: m.Roots, CurrentTime: now}); err != nil {
		return nil, reject(UntrustedCertificate, "the certificate that %s names must be by an authority that the receiver trusts", c.from)
	}
	return leaf, nil
}

// namesAt are the names that a certificate of host may have.
func (c *compiledCertificate) namesAt(host string) []string {
	groups := c.urls.hosts.SubexpNames()
	values := c.urls.hosts.FindStringSubmatch(host)
	names := make([]string, len(c.names))
	for i, name := range c.names {
		names[i] = name
		for at, group := range groups {
			if group != "" {
				names[i] = strings.ReplaceAll(names[i], "{"+group+"}", values[at])
			}
		}
	}
	return names
}

// maxDNSNames bounds the names that a certificate may have, maxDNSName each of them
// (RFC 1035 §2.3.4).
const (
	maxDNSNames = 8
	maxDNSName  = 253
)

var (
	nameVariable = regexp.MustCompile(`\{[A-Za-z0-9_]*\}`)
	dnsName      = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
)

// dnsNames checks the names that a certificate may have.
func (c *compiler) dnsNames(field string, names []string, hosts *regexp.Regexp) {
	c.check(len(names) > 0, field, "are missing: a certificate must be valid for one of them, or anybody's would do")
	c.check(len(names) <= maxDNSNames, field, "there may be at most %d", maxDNSNames)
	for i, name := range names {
		c.fail(fmt.Sprintf("%s[%d]", field, i), checkDNSName(name, hosts))
	}
}

func checkDNSName(name string, hosts *regexp.Regexp) error {
	if len(name) > maxDNSName || !dnsName.MatchString(nameVariable.ReplaceAllString(name, "x")) {
		return errors.New("must be a DNS name in lower case, for example example.com")
	}
	for _, variable := range nameVariable.FindAllString(name, -1) {
		group := strings.Trim(variable, "{}")
		if hosts == nil || group == "" || hosts.SubexpIndex(group) < 0 {
			return fmt.Errorf("%s must be the name of a group of hostPattern, as in (?P<region>[a-z]+)", variable)
		}
	}
	return nil
}
