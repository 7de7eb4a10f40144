package certificate

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"slices"

	"sallyport.dev/sallyport/receiver/verify"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// maxIssuers bounds the issuers that are fetched for a certificate. There are usually
// one or two between a certificate and its root.
const maxIssuers = 3

// A host that serves something else, a maintenance page for example, may soon serve the
// certificate again. So these are failures, which are remembered for a short time.
var (
	errNoCertificate = errors.New("the document is not a certificate in PEM")
	errNotIssuer     = errors.New("the document is not the certificate of the issuer")
)

// chain requests a certificate, and the issuers that its document lacks: some
// senders publish theirs alone. leads reports whether it leads to a root.
func (c *Cache) chain(ctx context.Context, named verify.NamedCertificate) (chain []*x509.Certificate, leads bool, err error) {
	document, err := c.getter.Get(ctx, named.URL)
	if err != nil {
		return nil, false, err
	}
	if chain, err = keymaterial.ParseCertificates(document); err != nil {
		return nil, false, errNoCertificate
	}
	for range maxIssuers {
		last := c.end(chain)
		if last == nil || len(chain) == keymaterial.MaxCertificates {
			break
		}
		at := slices.IndexFunc(last.IssuingCertificateURL, named.Issuers.Allows)
		if at < 0 {
			break
		}
		issuer, err := c.issuer(ctx, last, last.IssuingCertificateURL[at])
		if err != nil {
			return nil, false, err
		}
		chain = append(chain, issuer)
	}
	return chain, c.verify(chain) == nil, nil
}

func (c *Cache) verify(chain []*x509.Certificate) error {
	return keymaterial.CheckChain(chain, x509.VerifyOptions{Roots: c.roots, CurrentTime: c.now()})
}

// end returns the last certificate of a chain that lacks an issuer; nil if the chain
// leads to a root, or is wrong in another way.
func (c *Cache) end(chain []*x509.Certificate) *x509.Certificate {
	if _, lacking := errors.AsType[x509.UnknownAuthorityError](c.verify(chain)); !lacking {
		return nil
	}
	last := chain[0]
	for range chain {
		at := slices.IndexFunc(chain, func(other *x509.Certificate) bool { return other != last && issued(other, last) })
		if at < 0 {
			break
		}
		last = chain[at]
	}
	if issued(last, last) {
		return nil
	}
	return last
}

func issued(issuer, subject *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, subject.RawIssuer) && subject.CheckSignatureFrom(issuer) == nil
}

// issuer requests the certificate that signed subject. It may come by http (RFC 5280
// §4.2.2.1), because its signature of subject proves it.
func (c *Cache) issuer(ctx context.Context, subject *x509.Certificate, address string) (*x509.Certificate, error) {
	document, err := c.getter.GetProven(ctx, address)
	if err != nil {
		return nil, err
	}
	issuer, err := x509.ParseCertificate(document)
	if err != nil {
		list, err := keymaterial.ParseCertificates(document)
		if err != nil {
			return nil, errNotIssuer
		}
		issuer = list[0]
	}
	if !issued(issuer, subject) {
		return nil, errNotIssuer
	}
	return issuer, nil
}
