package verify

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // Braintree's key is the SHA-1 of the secret
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

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

// decodeBase64Key is lenient where a person pastes a key: padding, line breaks and
// which of the two alphabets it is written in don't matter (RFC 4648 §4, §5).
// Signatures are read strictly, see Encoding.
func decodeBase64Key(b []byte) ([]byte, error) {
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

// TakesText reports whether a scheme takes the text of the secret for the key, to the
// letter.
func (p Provider) TakesText() bool {
	return slices.ContainsFunc(p.Schemes, func(s Scheme) bool { return s.KeySource == nil && !encodesKey(&s) })
}

// encodesKey reports whether the key of a scheme is written in an encoding, or is a
// public key, whose forms all are.
func encodesKey(s *Scheme) bool {
	return slices.Contains(s.Key, "base64") || slices.Contains(s.Key, "hex") ||
		slices.Contains(publicKeyed, s.Algorithm) && !s.JWT.shared()
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

// noSecret is the index of a key that is none of the endpoint's secrets.
const noSecret = -1

// usableKey is one key, made ready for a scheme.
type usableKey struct {
	index    int    // of the secret; or noSecret
	id       string // if the scheme's secrets have ids
	material []byte // for {secret}
	key      key
}

// keys are the keys that a request may be signed with.
func (s *compiled) keys(r *Request, m *Material, now time.Time) (keys []usableKey, rejection *Rejection) {
	switch {
	case s.source == nil:
		keys = s.secretKeys(m)
	case s.source.certificate != nil:
		return s.certified(r, m, now)
	default:
		document, rejection := s.source.fetched(m)
		if rejection != nil {
			return nil, rejection
		}
		if k, ok := m.Keys.published(s, document); ok {
			keys = []usableKey{{index: noSecret, key: k}}
		}
	}
	if len(keys) == 0 {
		return nil, s.noUsableKey()
	}
	return keys, nil
}

func (s *compiled) noUsableKey() *Rejection {
	return reject(NoUsableKey, "the receiver has no key that fits the scheme %s", s.name)
}

// secretKeys are those of the endpoint's secrets that fit.
func (s *compiled) secretKeys(m *Material) []usableKey {
	keys := make([]usableKey, 0, len(m.Secrets))
	for i, value := range m.Secrets {
		if k, ok := m.Keys.ofSecret(s, value); ok {
			k.index = i
			keys = append(keys, k)
		}
	}
	return keys
}

// prepare makes a secret ready, or says what the scheme expects instead. The
// error doesn't contain the secret.
func (s *compiled) prepare(value secret.Value) (usableKey, error) {
	id, material, err := s.material(value)
	if err != nil {
		return usableKey{}, err
	}
	k, err := s.algorithm(material)
	return usableKey{id: id, material: material, key: k}, err
}

// prepareToken is prepare for tokens, of which a secret may have several keys.
func (s *compiled) prepareToken(value secret.Value) ([]tokenKey, error) {
	_, material, err := s.material(value)
	if err != nil {
		return nil, err
	}
	return s.token.keysOf(material)
}

// material goes the steps from a secret to the key.
func (s *compiled) material(value secret.Value) (id string, material []byte, err error) {
	material = value.Reveal()
	if len(bytes.TrimSpace(material)) == 0 {
		return "", nil, errEmptyKey
	}
	if s.keyed() {
		name, rest, ok := bytes.Cut(material, []byte(":"))
		if !ok || len(name) == 0 {
			return "", nil, errors.New("it must be written <key id>:<secret>")
		}
		id, material = string(name), rest
	}
	if s.encoded {
		material = Unwrapped(material)
	}
	for _, step := range s.keySteps {
		if material, err = step(material); err != nil {
			return "", nil, err
		}
	}
	if len(material) == 0 {
		return "", nil, errEmptyKey
	}
	return id, material, nil
}

// CheckKey reports whether value can be used with at least one scheme of the
// provider that takes secrets; if none does, any will do. The error says what
// each of them expects, and nothing of the value.
func (v *Verifier) CheckKey(value secret.Value) error {
	var errs []error
	for i := range v.schemes {
		s := &v.schemes[i]
		if s.source != nil {
			continue
		}
		err := s.checkKey(value)
		if err == nil || errors.Is(err, errEmptyKey) {
			return err
		}
		errs = append(errs, fmt.Errorf("%s (scheme %s)", err.Error(), s.name))
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.New(join(errs, "; or "))
}

func (s *compiled) checkKey(value secret.Value) error {
	if s.token != nil {
		_, err := s.prepareToken(value)
		return err
	}
	_, err := s.prepare(value)
	return err
}

func join(errs []error, separator string) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, separator)
}
