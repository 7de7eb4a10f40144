package keymaterial

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // Braintree's key is the SHA-1 of the secret
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Bounds of the steps.
const (
	maxSteps  = 4
	maxPrefix = 256 // bytes
)

// Step is one step from the configured secret to the key.
type Step func([]byte) ([]byte, error)

// steps are the steps without an argument. "trim:<prefix>" drops a prefix that
// may be missing.
var steps = map[string]Step{
	"base64": decodeBase64,
	"hex":    decodeHex,
	"sha1":   func(b []byte) ([]byte, error) { sum := sha1.Sum(b); return sum[:], nil }, //nolint:gosec // see above
	"nfkd":   func(b []byte) ([]byte, error) { return norm.NFKD.Bytes(b), nil },
}

// ParseSteps reads "trim:<prefix>", "base64", "hex", "sha1" (the digest is the key) and
// "nfkd" (Unicode normalisation).
func ParseSteps(names []string) ([]Step, error) {
	if len(names) > maxSteps {
		return nil, fmt.Errorf("there may be at most %d steps", maxSteps)
	}
	parsed := make([]Step, len(names))
	for i, name := range names {
		if prefix, ok := strings.CutPrefix(name, "trim:"); ok && prefix != "" && len(prefix) <= maxPrefix {
			parsed[i] = func(b []byte) ([]byte, error) { return bytes.TrimPrefix(b, []byte(prefix)), nil }
			continue
		}
		if parsed[i] = steps[name]; parsed[i] == nil {
			return nil, fmt.Errorf("%q is not a step: there are trim:<prefix>, base64, hex, sha1 and nfkd", name)
		}
	}
	return parsed, nil
}

// decodeBase64 is lenient where a person pastes a key: padding, line breaks and
// which of the two alphabets it is written in don't matter (RFC 4648 §4, §5).
// Package verify reads signatures strictly.
func decodeBase64(b []byte) ([]byte, error) {
	text, encoding := strings.TrimRight(string(b), "=\r\n"), base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	decoded, err := encoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("it must be base64 (letters, digits, and either '+' and '/' or '-' and '_')")
	}
	return decoded, nil
}

// Unwrapped is a secret without the white space, the characters that nobody sees, a
// byte order mark among them, and the quotation marks around it that come along when
// somebody copies it.
func Unwrapped(value []byte) []byte {
	unseen := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	bare := bytes.TrimFunc(value, unseen)
	if n := len(bare); n > 1 && bare[0] == bare[n-1] && bytes.IndexByte([]byte("\"'`"), bare[0]) >= 0 {
		bare = bytes.TrimFunc(bare[1:n-1], unseen)
	}
	return bare
}

func decodeHex(b []byte) ([]byte, error) {
	decoded := make([]byte, hex.DecodedLen(len(b)))
	if _, err := hex.Decode(decoded, b); err != nil {
		return nil, errors.New("it must be hexadecimal digits, two for each byte")
	}
	return decoded, nil
}
