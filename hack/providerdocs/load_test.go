package main

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// whole is a preset that has a page; a test takes something away.
const whole = `
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookProvider
metadata: {name: warehouse}
spec:
  displayName: Warehouse
  verify:
  - name: v1
    algorithm: HMAC-SHA256
    signature: {from: [{header: X-Signature}], encoding: Hex}
    content: "{body}"
  identity: {id: ["{body_sha256}"]}
  facts:
    scheme: Official
    secret: Ask <the keeper>.
    events: stock.low, stock.*
    retry: none
    success: 2xx
    methods: {confidence: Official, source: "https://example.com/webhooks"}
    id: {perEvent: Unique, overRetries: None, confidence: Official, source: "https://example.com/webhooks"}
    retries: {signature: None, confidence: Official, source: "https://example.com/webhooks"}
    bodies: {confidence: Unverified, source: Nobody says how large they are.}
    answers: {confidence: Official, source: "https://example.com/webhooks"}
    handshakes: {confidence: Official, source: "https://example.com/webhooks"}
    docs: [https://example.com/webhooks]
  tests:
  - name: no signature
    secret: not-a-real-secret
    request: {body: "{}"}
    expect: {rejected: MissingSignature}
`

func loadText(t *testing.T, text string) (preset, error) {
	t.Helper()
	object := &v1alpha1.WebhookProvider{}
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatal(err)
	}
	return newPreset(object)
}

// TestLoadWantsFacts: nothing ships without a word on where the secret comes from.
func TestLoadWantsFacts(t *testing.T) {
	if _, err := loadText(t, whole); err != nil {
		t.Fatalf("a preset with everything: %v", err)
	}
	for _, test := range []struct{ line, want string }{
		{"    secret: Ask <the keeper>.\n", "facts.secret is missing"},
		{"    events: stock.low, stock.*\n", "facts.events is missing"},
		{"    docs: [https://example.com/webhooks]\n", "facts.docs is missing"},
		{"    scheme: Official\n", "facts.scheme is missing"},
		{"  displayName: Warehouse\n", "displayName is missing"},
		{"    retry: none\n", "facts.retry is missing: the table of what is known has an empty cell"},
		{"    success: 2xx\n", "facts.success is missing"},
		{"    bodies: {confidence: Unverified, source: Nobody says how large they are.}\n", "facts.bodies is missing"},
	} {
		_, err := loadText(t, strings.Replace(whole, test.line, "", 1))
		if err == nil || !strings.Contains(err.Error(), "preset warehouse: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("without %q: %v, want %q", test.line, err, test.want)
		}
	}
}

// TestLoadWantsPresetsThatServe: a page of one that doesn't would be wrong.
func TestLoadWantsPresetsThatServe(t *testing.T) {
	_, err := loadText(t, strings.Replace(whole, "rejected: MissingSignature", "rejected: WrongSignature", 1))
	if err == nil || !strings.Contains(err.Error(), `The example "no signature" fails`) {
		t.Errorf("an example that fails: %v", err)
	}
}
