package conformance

import (
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// material is what the vector is verified with.
func (v *vector) material() *verify.Material {
	m := &verify.Material{Parameters: verify.Parameters{}, Fetched: map[string][]byte{}}
	if text := v.secret(); text != "" {
		m.Secrets = []secret.Value{secret.New([]byte(text))}
	}
	for name, value := range v.parameters() {
		m.Parameters[name] = []secret.Value{secret.New([]byte(value))}
	}
	if chain := v.Key["x509_pem"]; chain != "" {
		m.Certificate, m.Roots = []byte(chain), x509.NewCertPool()
		m.Roots.AppendCertsFromPEM(m.Certificate)
	}
	return m
}

// judge gives a vector to the verifier of its preset, and checks that the scheme
// that is meant judges it. The reason is empty if it is genuine.
func (v *vector) judge(t *testing.T, provider *verify.Provider) verify.Reason {
	t.Helper()
	verifier, err := verify.Compile(*provider)
	if err != nil {
		t.Fatal(err)
	}
	material := v.material()
	sources, err := provider.FetchURLs(material.Parameters)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		material.Fetched[source.URL] = []byte(v.Key["pem"])
	}
	request := v.request(t)
	verdict, err := verifier.Verify(request, material, v.now())
	if err == nil {
		if hasScheme(provider, v.Variant) && verdict.Scheme != v.Variant {
			t.Errorf("the scheme %q judged, not %q", verdict.Scheme, v.Variant)
		}
		_, err = verifier.Identify(request, verdict)
	}
	if rejection, ok := errors.AsType[*verify.Rejection](err); ok {
		return rejection.Reason
	}
	return ""
}

// senders are the built-in providers by name, compiled.
type senders map[string]*provider.Sender

func loadSenders(t *testing.T) senders {
	t.Helper()
	all := senders{}
	for _, object := range loadPresets(t) {
		sender := provider.Compile(object)
		if sender.Problem != "" {
			t.Fatalf("%s: %s", object.Name, sender.Problem)
		}
		all[object.Name] = sender
	}
	return all
}

// presetName is the preset that a vector is for: the provider's own, if it has
// the variant as a scheme, else the one that is called <provider>-<variant>.
func (v *vector) presetName(all senders) string {
	own := all[v.Provider]
	if v.Variant == "" || v.Variant == "default" || own != nil && hasScheme(&own.Provider, v.Variant) {
		return v.Provider
	}
	return v.Provider + "-" + v.Variant
}

func hasScheme(provider *verify.Provider, name string) bool {
	return slices.ContainsFunc(provider.Schemes, func(s verify.Scheme) bool { return s.Name == name })
}
