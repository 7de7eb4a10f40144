package verify

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // Braintree's key is the SHA-1 of the secret
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sallyport.dev/sallyport/receiver/secret"
)

// step is one step from the configured secret to the key.
type step func([]byte) ([]byte, error)

// steps are the steps without an argument. "trim:<prefix>" drops a prefix that
// may be missing.
var steps = map[string]step{
	"base64": decodeBase64Key,
	"hex":    decodeHexKey,
	"sha1":   func(b []byte) ([]byte, error) { sum := sha1.Sum(b); return sum[:], nil }, //nolint:gosec // see above
	"nfkd":   func(b []byte) ([]byte, error) { return norm.NFKD.Bytes(b), nil },
}

// parseKeySteps reads Scheme.Key: "trim:<prefix>", "base64", "hex", "sha1" (the
// digest is the key) and "nfkd" (Unicode normalisation).
func parseKeySteps(names []string) ([]step, error) {
	if len(names) > maxKeySteps {
		return nil, fmt.Errorf("there may be at most %d steps", maxKeySteps)
	}
	parsed := make([]step, len(names))
	for i, name := range names {
		if prefix, ok := strings.CutPrefix(name, "trim:"); ok && prefix != "" && len(prefix) <= maxName {
			parsed[i] = func(b []byte) ([]byte, error) { return bytes.TrimPrefix(b, []byte(prefix)), nil }
			continue
		}
		if parsed[i] = steps[name]; parsed[i] == nil {
			return nil, fmt.Errorf("%q is not a step: there are trim:<prefix>, base64, hex, sha1 and nfkd", name)
		}
	}
	return parsed, nil
}

// decodeBase64Key is lenient where a person pastes a key: padding and line
// breaks don't matter. Signatures are read strictly, see Encoding.
func decodeBase64Key(b []byte) ([]byte, error) {
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(string(b), "=\r\n"))
	if err != nil {
		return nil, errors.New("it must be base64 (letters, digits, '+' and '/')")
	}
	return decoded, nil
}

func decodeHexKey(b []byte) ([]byte, error) {
	decoded := make([]byte, hex.DecodedLen(len(b)))
	if _, err := hex.Decode(decoded, b); err != nil {
		return nil, errors.New("it must be hexadecimal digits, two for each byte")
	}
	return decoded, nil
}

// errEmptyKey is returned for a key that is empty, or becomes so by its steps.
var errEmptyKey = errors.New("it is empty")

// usableKey is one secret, made ready for a scheme.
type usableKey struct {
	id       string // if the scheme's secrets have ids
	material []byte // for {secret}
	key      key
}

// prepare makes a secret ready, or says what the scheme expects instead. The
// error doesn't contain the secret.
func (s *compiled) prepare(value secret.Value) (usableKey, error) {
	material := value.Reveal()
	if len(bytes.TrimSpace(material)) == 0 {
		return usableKey{}, errEmptyKey
	}
	var u usableKey
	if s.keyed() {
		id, rest, ok := bytes.Cut(material, []byte(":"))
		if !ok || len(id) == 0 {
			return usableKey{}, errors.New("it must be written <key id>:<secret>")
		}
		u.id, material = string(id), rest
	}
	for _, step := range s.keySteps {
		var err error
		if material, err = step(material); err != nil {
			return usableKey{}, err
		}
	}
	if len(material) == 0 {
		return usableKey{}, errEmptyKey
	}
	var err error
	u.material = material
	u.key, err = s.algorithm(material)
	return u, err
}

// CheckKey reports whether value can be used with at least one scheme of the
// provider. The error says what each of them expects, and nothing of the value.
func (v *Verifier) CheckKey(value secret.Value) error {
	var errs []error
	for i := range v.schemes {
		s := &v.schemes[i]
		_, err := s.prepare(value)
		if err == nil {
			return nil
		}
		if errors.Is(err, errEmptyKey) {
			return err
		}
		errs = append(errs, fmt.Errorf("%s (scheme %s)", err.Error(), s.name))
	}
	return errors.New(join(errs, "; or "))
}

func join(errs []error, separator string) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, separator)
}
