package compile

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// AuthorityNames lists the ConfigMaps with the authorities of the targets of an
// endpoint, each once.
func AuthorityNames(endpoint *v1alpha1.WebhookEndpoint) []string {
	var names []string
	for _, target := range specTargets(endpoint) {
		if ref := target.Service.CARef; ref != nil {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// resolveCA reads the certificates of authorities. Without them events wait: those
// of the system may be trusted by more people than the endpoint means.
func resolveCA(ref v1alpha1.ConfigMapKeyReference, authorities map[string]*corev1.ConfigMap) (string, Problems) {
	found := authorities[ref.Name]
	if found == nil {
		return "", problem(v1alpha1.ReasonCANotFound,
			"There is no ConfigMap %q in this namespace: events are accepted and kept until it appears.", ref.Name)
	}
	text, ok := found.Data[ref.Key]
	if !ok {
		return "", problem(v1alpha1.ReasonCANotFound,
			"The ConfigMap %q has no entry %q: events are accepted and kept until it has.", ref.Name, ref.Key)
	}
	certificates, err := certificatesOf(text)
	if err != nil {
		return "", problem(v1alpha1.ReasonCAInvalid,
			"The entry %q of the ConfigMap %q can't be used as a CA: %v. Events are accepted and kept.", ref.Key, ref.Name, err)
	}
	return certificates, nil
}

// certificatesOf writes down the certificates of a text anew, without what stands
// between them.
func certificatesOf(text string) (string, error) {
	var certificates []byte
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return "", fmt.Errorf("there is a block %q in it", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "", errors.New("there is a certificate in it that can't be read")
		}
		certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
	switch {
	case len(certificates) == 0:
		return "", errors.New("there is no certificate in PEM in it")
	case len(certificates) > route.MaxCA:
		return "", fmt.Errorf("its certificates have %d bytes, and there may be %d", len(certificates), route.MaxCA)
	}
	return string(certificates), nil
}
