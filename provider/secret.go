package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// maxSecrets bounds how many secrets are valid at once: each is tried with each
// signature of a request.
const maxSecrets = 8

// Secrets reads an entry of a Secret as the secret of an endpoint: one newline at
// the end is not part of it, and a JSON list of texts is several secrets, newest
// first. The error says what is wrong with a list, and shows nothing of it.
func Secrets(entry []byte) ([]secret.Value, error) {
	text, _ := TrimNewline(entry)
	return listed(text)
}

// CheckSecrets takes the text of a Secret's entry apart, without the newline at its
// end, and checks that the sender can use each secret.
func (s *Sender) CheckSecrets(text []byte) ([]secret.Value, error) {
	all, err := listed(text)
	if err != nil {
		return nil, err
	}
	if len(all) == 1 && all[0].Equal(text) && s.Provider.TakesText() {
		switch {
		case bytes.ContainsFunc(text, unseen):
			return nil, errUnseen
		case !bytes.Equal(keymaterial.Unwrapped(text), text):
			return nil, errWrapped
		case bytes.ContainsAny(text, "\r\n"):
			return nil, errLines
		}
	}
	for i, one := range all {
		err := s.CheckKey(one)
		switch {
		case err != nil && len(all) > 1:
			return nil, fmt.Errorf("number %d of the list: %w", i+1, err)
		case err != nil:
			return nil, err
		}
	}
	return all, nil
}

// errWrapped is for a text with something around it: only its author knows whether that
// is part of the secret. In a list every character counts.
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
// every other text.
func textList(text []byte) (texts []string, ok bool) {
	if joined.Match(keymaterial.Unwrapped(text)) {
		return strings.Split(string(keymaterial.Unwrapped(text)), "|"), true
	}
	ok = utf8.Valid(text) && json.Unmarshal(text, &texts) == nil && texts != nil
	return texts, ok
}

// listed takes a text apart that is a JSON list of texts. Every other text is
// one secret. Errors show nothing of the text.
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
		case slices.ContainsFunc(all, func(other secret.Value) bool { return other.Equal(one) }):
			return nil, fmt.Errorf("number %d of the list is there twice", i+1)
		default:
			all = append(all, secret.New(one))
		}
	}
	return all, nil
}

// TrimNewline drops one newline at the end of a Secret's entry, which editors, `echo`
// and `kubectl create secret --from-file` leave there, and reports whether there was one.
func TrimNewline(entry []byte) (text []byte, trimmed bool) {
	text, trimmed = bytes.CutSuffix(entry, []byte("\n"))
	if trimmed {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	return text, trimmed
}
