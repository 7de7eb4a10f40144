package compile

import (
	"strings"
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
)

func TestTrimNewline(t *testing.T) {
	for value, want := range map[string]string{
		"":          "",
		"s":         "s",
		"s\n":       "s",
		"s\r\n":     "s",
		"s\n\n":     "s\n",
		"s\r":       "s\r", // not what an editor leaves: it may well be meant
		"\ns":       "\ns",
		"a\nb\n":    "a\nb",
		" s \n":     " s ",
		"\n":        "",
		"s\r\r\n":   "s\r",
		"s\r\n\r\n": "s\r\n",
	} {
		got, trimmed := trimNewline([]byte(value))
		if string(got) != want || trimmed != (want != value) {
			t.Errorf("of %q is left %q (trimmed: %t), want %q", value, got, trimmed, want)
		}
	}
}

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
