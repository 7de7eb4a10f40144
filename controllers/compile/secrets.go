package compile

import (
	"bytes"
	"fmt"
	"slices"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/secret"
)

// secrets is what the endpoint's Secret holds to verify with.
type secrets struct {
	// current are the secrets that are valid now.
	current []secret.Value
	// revoked: the endpoint has no secret any more, which ends the previous ones, too.
	revoked  bool
	notes    []string
	problems Problems
}

// holds reports whether a secret is one of those that are valid now.
func (s secrets) holds(value secret.Value) bool {
	return slices.ContainsFunc(s.current, func(other secret.Value) bool { return other.Equal(value.Reveal()) })
}

// SecretEntries lists the entries of its Secret that an endpoint uses.
func SecretEntries(endpoint *v1alpha1.WebhookEndpoint, sender *provider.Sender) []string {
	if endpoint.Spec.SecretRef == nil {
		return nil
	}
	entries := []string{endpoint.Spec.SecretRef.Key}
	if sender != nil {
		for _, parameter := range sender.Parameters {
			if parameter.Sensitive {
				entries = append(entries, parameter.Name)
			}
		}
	}
	return entries
}

// resolveSecret reads the secrets that are valid now, or says what is wrong.
func resolveSecret(endpoint *v1alpha1.WebhookEndpoint, sender *provider.Sender, facts SecretFacts) secrets {
	ref := endpoint.Spec.SecretRef
	without := func(reason, format string, args ...any) secrets {
		return secrets{revoked: true, problems: problem(reason, format, args...)}
	}
	switch {
	case ref == nil && sender.NeedsSecret():
		return without(v1alpha1.ReasonSecretRequired,
			"The provider %q needs a secret: create a Secret in this namespace and name it in spec.secretRef.", endpoint.Spec.Provider)
	case ref == nil:
		return secrets{revoked: true}
	case !facts.Found:
		return without(v1alpha1.ReasonSecretNotFound,
			"There is no Secret %q in this namespace: create it with an entry %q.", ref.Name, ref.Key)
	case sender.Known() && !sender.Provider.NeedsSecret():
		return secrets{revoked: true}
	}
	stored, ok := facts.Entries[ref.Key]
	if !ok {
		return without(v1alpha1.ReasonSecretKeyNotFound,
			"The Secret %q has no entry %q: add it, or name another in spec.secretRef.key.", ref.Name, ref.Key)
	}
	value, trimmed := provider.TrimNewline(stored)
	if len(bytes.TrimSpace(value)) == 0 {
		return without(v1alpha1.ReasonSecretInvalid,
			"The entry %q of the Secret %q is empty: nothing is accepted until it holds the secret of the provider.", ref.Key, ref.Name)
	}
	result := secrets{}
	if trimmed {
		result.notes = []string{newlineNote(ref.Key, ref.Name)}
	}
	var err error
	if result.current, err = sender.CheckSecrets(value); err != nil {
		// Whoever mistypes the new secret must not lose the old one, with which the
		// provider still signs.
		return secrets{problems: problem(v1alpha1.ReasonSecretInvalid,
			"The entry %q of the Secret %q does not fit the provider %q: %v.", ref.Key, ref.Name, endpoint.Spec.Provider, err)}
	}
	return result
}

func newlineNote(entry, name string) string {
	return fmt.Sprintf("The newline at the end of the entry %q of the Secret %q was dropped.", entry, name)
}
