package main

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsModule is where the certificates come from: Mozilla's, at the version that
// go.mod names. The building machine has some, too, but each machine others.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// rootsFile is where Go programs look for them.
const rootsFile = "etc/ssl/certs/ca-certificates.crt"

// roots are the certificates of public authorities, in PEM. Receivers need them for the
// certificates and answers of senders and for Redis, managers for published keys. Those
// that hold under conditions, such as a last day, are left out: a file can't say them.
func roots() ([]byte, error) {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}
