package main

import (
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
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
		object v1alpha1.WebhookProvider
		more   v1alpha1.WebhookProviderSpec
	)
	if err := yaml.UnmarshalStrict(blocks[0][1], &object); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(blocks[1][1], &more); err != nil {
		t.Fatal(err)
	}
	for _, with := range []string{"the example", "the handshake"} {
		if sender := provider.Compile(&object); sender.Problem != "" {
			t.Errorf("%s: %s", with, sender.Problem)
		}
		object.Spec.Handshakes = more.Handshakes
		object.Spec.Tests = append(object.Spec.Tests, more.Tests...)
	}
}
