package compile

import (
	"strings"
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// A value that doesn't fit must not get into a message, which is in the status
// for everybody to read.
func TestProblemsDoNotShowTheSecret(t *testing.T) {
	endpoint := claimant("orders", "", noon)
	value := "whsec_certainly-not-base64!"
	facts := SecretFacts{Found: true, Entries: map[string][]byte{"secret": []byte(value)}}
	problems := resolveSecret(&endpoint, sender(t, "standard-webhooks"), facts).problems
	if problems == nil || problems.Reason() != v1alpha1.ReasonSecretInvalid {
		t.Fatalf("the problems are %v", problems)
	}
	for _, part := range []string{"certainly", "base64!"} {
		if strings.Contains(problems.Message(), part) {
			t.Errorf("the message shows the secret: %s", problems.Message())
		}
	}
}
