package compile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
)

// signingPrefix is that of keys which are written in base64, by Standard Webhooks.
const signingPrefix = "whsec_"

// signing is what a target's events are signed with.
type signing struct {
	key   []byte // nil: there is no key
	notes []string
}

// inEntry is the key for an entry of the route Secret; nil: there is no key.
func (s signing) inEntry(entry string) *route.Signing {
	if s.key == nil {
		return nil
	}
	return &route.Signing{Entry: entry, Key: secret.New(s.key)}
}

// SigningEntries lists the entries of Secrets with which events are signed for
// the targets of an endpoint, by the name of the Secret.
func SigningEntries(endpoint *v1alpha1.WebhookEndpoint) map[string][]string {
	entries := map[string][]string{}
	for _, target := range specTargets(endpoint) {
		if ref := target.SigningSecretRef; ref != nil && !slices.Contains(entries[ref.Name], ref.Key) {
			entries[ref.Name] = append(entries[ref.Name], ref.Key)
		}
	}
	return entries
}

// resolveSigning reads the key to sign with. Without it events wait: they can't go
// unsigned to a target that expects signatures, and would take them for forgeries.
func resolveSigning(ref v1alpha1.SecretKeyReference, secrets map[string]SecretFacts) (signing, Problems) {
	facts := secrets[ref.Name]
	if !facts.Found {
		return signing{}, problem(v1alpha1.ReasonSigningSecretNotFound,
			"There is no Secret %q in this namespace to sign with: events are accepted and kept until it appears.", ref.Name)
	}
	stored, ok := facts.Entries[ref.Key]
	if !ok {
		return signing{}, problem(v1alpha1.ReasonSigningSecretNotFound,
			"The Secret %q has no entry %q to sign with: events are accepted and kept until it has.", ref.Name, ref.Key)
	}
	value, trimmed := provider.TrimNewline(stored)
	key, err := signingKey(value)
	if err != nil {
		return signing{}, problem(v1alpha1.ReasonSigningSecretInvalid,
			"Nothing can be signed with the entry %q of the Secret %q: %v. Events are accepted and kept.", ref.Key, ref.Name, err)
	}
	if trimmed {
		return signing{key: key, notes: []string{newlineNote(ref.Key, ref.Name)}}, nil
	}
	return signing{key: key}, nil
}

// signingKey makes a key of "whsec_" and base64, or of any other text. Errors
// show nothing of it.
func signingKey(text []byte) ([]byte, error) {
	encoded, ok := bytes.CutPrefix(text, []byte(signingPrefix))
	if !ok {
		return text, notBlank(text)
	}
	key, err := base64.RawStdEncoding.DecodeString(string(bytes.TrimRight(encoded, "=")))
	if err != nil {
		return nil, fmt.Errorf("what follows %s is not base64", signingPrefix)
	}
	return key, notBlank(key)
}

func notBlank(key []byte) error {
	if len(bytes.TrimSpace(key)) == 0 {
		return errors.New("it is empty")
	}
	return nil
}
