package main

import (
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
)

// TestDocumentedProvider: the provider that docs/webhookprovider.md describes
// serves, with and without the handshake that it gets further down.
func TestDocumentedProvider(t *testing.T) {
	text, err := os.ReadFile("../../docs/webhookprovider.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d manifests, want the provider and its handshake", len(blocks))
	}
	var (
		provider v1alpha1.WebhookProvider
		more     v1alpha1.WebhookProviderSpec
	)
	if err := yaml.UnmarshalStrict(blocks[0][1], &provider); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(blocks[1][1], &more); err != nil {
		t.Fatal(err)
	}
	for _, with := range []string{"the example", "the handshake"} {
		if sender := compile.Provider(&provider); sender.Problem != "" {
			t.Errorf("%s: %s", with, sender.Problem)
		}
		provider.Spec.Handshakes = more.Handshakes
		provider.Spec.Tests = append(provider.Spec.Tests, more.Tests...)
	}
}
