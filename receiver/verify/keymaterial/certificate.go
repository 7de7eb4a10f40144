package keymaterial

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// MaxCertificateBytes bounds a document of certificates, and MaxCertificates how many
// there are in it.
const (
	MaxCertificateBytes = 64 << 10
	MaxCertificates     = 8
)

// errNoCertificates says that a document is something else. A page in which a
// certificate is quoted is one that anybody may have written.
var errNoCertificates = errors.New("the document must be made of certificates in PEM and nothing else")

// beginCertificate is how a certificate in PEM begins (RFC 7468 §5.1).
var beginCertificate = []byte("-----BEGIN CERTIFICATE-----")

// ParseCertificates reads a document of certificates in PEM, the sender's own
// first. It begins with one, and there is nothing but white space between them and
// behind.
func ParseCertificates(document []byte) ([]*x509.Certificate, error) {
	if len(document) > MaxCertificateBytes {
		return nil, errNoCertificates
	}
	var certificates []*x509.Certificate
	for rest := document; len(rest) > 0; {
		block, after := pem.Decode(rest)
		// What doesn't decode is skipped by Decode: then more than one block begins.
		if block == nil || !bytes.HasPrefix(rest, beginCertificate) || bytes.Count(rest[:len(rest)-len(after)], []byte("-----BEGIN")) != 1 {
			return nil, errNoCertificates
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(block.Headers) > 0 || len(certificates) == MaxCertificates {
			return nil, errNoCertificates
		}
		certificates = append(certificates, certificate)
		rest = bytes.TrimLeft(after, " \t\r\n")
	}
	if len(certificates) == 0 {
		return nil, errNoCertificates
	}
	return certificates, nil
}

// CheckChain looks for a chain from the first certificate to a root, at the time
// that options say; the others are what it may lead over. The error is of package
// crypto/x509.
func CheckChain(certificates []*x509.Certificate, options x509.VerifyOptions) error {
	options.Intermediates = x509.NewCertPool()
	for _, c := range certificates[1:] {
		options.Intermediates.AddCert(c)
	}
	options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} // it signs messages, which has no usage of its own
	_, err := certificates[0].Verify(options)
	return err
}
