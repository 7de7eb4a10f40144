package compile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// maxSecrets bounds how many secrets are valid at once: each is tried with each
// signature of a request.
const maxSecrets = 8

// secrets is what the endpoint's Secret holds to verify with.
type secrets struct {
	// current are the secrets that are valid now.
	current []secret.Value
	// revoked: the endpoint has no secret any more, which ends the previous ones, too.
	revoked  bool
	notes    []string
	problems Problems
}

// SecretEntries lists the entries of its Secret that an endpoint uses.
func SecretEntries(endpoint *v1alpha1.WebhookEndpoint, sender *Sender) []string {
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
func resolveSecret(endpoint *v1alpha1.WebhookEndpoint, sender *Sender, facts SecretFacts) secrets {
	ref := endpoint.Spec.SecretRef
	without := func(reason, format string, args ...any) secrets {
		return secrets{revoked: true, problems: problem(reason, format, args...)}
	}
	switch {
	case ref == nil && sender.needsSecret():
		return without(v1alpha1.ReasonSecretRequired,
			"The provider %q needs a secret: create a Secret in this namespace and name it in spec.secretRef.", endpoint.Spec.Provider)
	case ref == nil:
		return secrets{revoked: true}
	case !facts.Found:
		return without(v1alpha1.ReasonSecretNotFound,
			"There is no Secret %q in this namespace: create it with an entry %q.", ref.Name, ref.Key)
	case sender.known() && !sender.Provider.NeedsSecret():
		return secrets{revoked: true}
	}
	stored, ok := facts.Entries[ref.Key]
	if !ok {
		return without(v1alpha1.ReasonSecretKeyNotFound,
			"The Secret %q has no entry %q: add it, or name another in spec.secretRef.key.", ref.Name, ref.Key)
	}
	value, trimmed := trimNewline(stored)
	if len(bytes.TrimSpace(value)) == 0 {
		return without(v1alpha1.ReasonSecretInvalid,
			"The entry %q of the Secret %q is empty: nothing is accepted until it holds the secret of the provider.", ref.Key, ref.Name)
	}
	result := secrets{}
	if trimmed {
		result.notes = []string{newlineNote(ref.Key, ref.Name)}
	}
	var err error
	if result.current, err = fitting(value, sender); err != nil {
		// Whoever mistypes the new secret must not lose the old one, with which the
		// provider still signs.
		return secrets{problems: problem(v1alpha1.ReasonSecretInvalid,
			"The entry %q of the Secret %q does not fit the provider %q: %v.", ref.Key, ref.Name, endpoint.Spec.Provider, err)}
	}
	return result
}

// fitting takes a value apart and checks that the sender can use each secret.
func fitting(value []byte, sender *Sender) ([]secret.Value, error) {
	all, err := listed(value)
	if err != nil {
		return nil, err
	}
	if len(all) == 1 && all[0].Equal(value) && sender.Provider.TakesText() {
		switch {
		case bytes.ContainsFunc(value, unseen):
			return nil, errUnseen
		case !bytes.Equal(keymaterial.Unwrapped(value), value):
			return nil, errWrapped
		case bytes.ContainsAny(value, "\r\n"):
			return nil, errLines
		}
	}
	for i, one := range all {
		err := sender.CheckKey(one)
		switch {
		case err != nil && len(all) > 1:
			return nil, fmt.Errorf("number %d of the list: %w", i+1, err)
		case err != nil:
			return nil, err
		}
	}
	return all, nil
}

// errWrapped is for a value of which nobody can say what of it is the secret. In a list
// every character counts.
var errWrapped = errors.New("it has white space or quotation marks around it: take them away or, if they are part of the secret, " +
	`write it as a JSON list of one text, as in [" secret "]`)

// unseen reports whether a character is one that an editor adds and nobody sees: a byte
// order mark, or a space without width.
func unseen(r rune) bool { return r == '\ufeff' || r == '\u200b' }

// errUnseen is for a text with such a character.
var errUnseen = errors.New("it has a character that nobody sees, a byte order mark or a space without width: write it again, or, if it is part of the secret, " +
	"write it as a JSON list of one text")

// errLines is for a text of several lines, which no sender has for a secret.
var errLines = errors.New(`it has several lines: write one secret, or several as a JSON list, as in ["new", "old"]`)

// joined are several secrets as Supabase writes them, with a "|" between them.
var joined = regexp.MustCompile(`^(v1,)?whsec_[^|\s]+(\|(v1,)?whsec_[^|\s]+)+$`)

// textList reads a JSON list of texts, or secrets that are joined; ok is false for
// every other value.
func textList(value []byte) (texts []string, ok bool) {
	if joined.Match(keymaterial.Unwrapped(value)) {
		return strings.Split(string(keymaterial.Unwrapped(value)), "|"), true
	}
	ok = utf8.Valid(value) && json.Unmarshal(value, &texts) == nil && texts != nil
	return texts, ok
}

// listed takes a value apart that is a JSON list of texts. Every other value is
// one secret. Errors show nothing of the value.
func listed(value []byte) ([]secret.Value, error) {
	texts, isList := textList(value)
	if !isList {
		return []secret.Value{secret.New(value)}, nil
	}
	if len(texts) == 0 || len(texts) > maxSecrets {
		return nil, fmt.Errorf("it is a list of %d secrets: there must be from 1 to %d", len(texts), maxSecrets)
	}
	var all []secret.Value
	for i, text := range texts {
		switch one := []byte(text); {
		case len(bytes.TrimSpace(one)) == 0:
			return nil, fmt.Errorf("number %d of the list is empty", i+1)
		case holds(all, one):
			return nil, fmt.Errorf("number %d of the list is there twice", i+1)
		default:
			all = append(all, secret.New(one))
		}
	}
	return all, nil
}

// holds reports whether one of the secrets is that one.
func holds(all []secret.Value, one []byte) bool {
	return slices.ContainsFunc(all, func(other secret.Value) bool { return other.Equal(one) })
}

// trimNewline drops one newline at the end, which editors, `echo` and
// `kubectl create secret --from-file` leave there.
func trimNewline(value []byte) ([]byte, bool) {
	rest, trimmed := bytes.CutSuffix(value, []byte("\n"))
	if trimmed {
		rest = bytes.TrimSuffix(rest, []byte("\r"))
	}
	return rest, trimmed
}

func newlineNote(entry, name string) string {
	return fmt.Sprintf("The newline at the end of the entry %q of the Secret %q was dropped.", entry, name)
}
