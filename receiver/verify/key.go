package verify

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// TakesText reports whether a scheme uses the text of the secret as the key, exactly as
// it is written.
func (p Provider) TakesText() bool {
	return slices.ContainsFunc(p.Schemes, func(s Scheme) bool { return s.KeySource == nil && !encodesKey(&s) })
}

// encodesKey reports whether the key of a scheme is written in an encoding, or is a
// public key, whose forms all are.
func encodesKey(s *Scheme) bool {
	return slices.Contains(s.Key, "base64") || slices.Contains(s.Key, "hex") ||
		slices.Contains(publicKeyed, s.Algorithm) && !s.JWT.shared()
}

// errEmptyKey is returned for a key that is empty, or becomes so by its steps.
var errEmptyKey = errors.New("it is empty")

// noSecret is the index of a key that does not come from the endpoint's secrets.
const noSecret = -1

// usableKey is one key, made ready for a scheme.
type usableKey struct {
	index    int    // of the secret; or noSecret
	id       string // if the scheme's secrets have ids
	material []byte // for {secret}
	key      keymaterial.Key
}

// keys are the keys that a request may be signed with.
func (s *compiledScheme) keys(r *Request, m *Material, now time.Time) (keys []usableKey, rejection *Rejection) {
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

func (s *compiledScheme) noUsableKey() *Rejection {
	return reject(NoUsableKey, "the receiver has no key that fits the scheme %s", s.name)
}

// secretKeys are those of the endpoint's secrets that fit.
func (s *compiledScheme) secretKeys(m *Material) []usableKey {
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
func (s *compiledScheme) prepare(value secret.Value) (usableKey, error) {
	id, material, err := s.material(value)
	if err != nil {
		return usableKey{}, err
	}
	k, err := s.algorithm(material)
	return usableKey{id: id, material: material, key: k}, err
}

// prepareToken is prepare for tokens: one secret may hold several keys for them.
func (s *compiledScheme) prepareToken(value secret.Value) ([]keymaterial.TokenKey, error) {
	_, material, err := s.material(value)
	if err != nil {
		return nil, err
	}
	return s.token.keysOf(material)
}

// material goes the steps from a secret to the key.
func (s *compiledScheme) material(value secret.Value) (id string, material []byte, err error) {
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
		material = keymaterial.Unwrapped(material)
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

func (s *compiledScheme) checkKey(value secret.Value) error {
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
