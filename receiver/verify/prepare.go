package verify

import (
	"fmt"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// Keys are secrets and published keys, made ready for the schemes of one provider,
// so that it has not to be done for each request. They are immutable and safe for
// concurrent use.
type Keys struct {
	single map[materialOf]usableKey // without index; without a key: it doesn't fit
	tokens map[materialOf][]keymaterial.TokenKey
}

// materialOf is what keys of a scheme are made of.
type materialOf struct {
	scheme *compiledScheme
	text   string
}

// Format implements fmt.Formatter, so that no verb reaches the keys.
func (*Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// Prepare makes keys for Material.Keys. Secrets that are none of Material.Secrets
// when a request comes don't verify it: the same keys serve while some of them end.
func (v *Verifier) Prepare(secrets []secret.Value, fetched map[string][]byte) *Keys {
	k := &Keys{single: map[materialOf]usableKey{}, tokens: map[materialOf][]keymaterial.TokenKey{}}
	for i := range v.schemes {
		s := &v.schemes[i]
		switch {
		case s.source == nil:
			for _, value := range secrets {
				k.add(s, value)
			}
		case s.source.certificate == nil:
			for _, document := range fetched {
				k.addPublished(s, document)
			}
		}
	}
	return k
}

func (k *Keys) add(s *compiledScheme, value secret.Value) {
	of := materialOf{s, string(value.Reveal())}
	if s.token != nil {
		k.tokens[of], _ = s.prepareToken(value)
		return
	}
	key, err := s.prepare(value)
	if err != nil {
		key = usableKey{}
	}
	k.single[of] = key
}

func (k *Keys) addPublished(s *compiledScheme, document []byte) {
	of := materialOf{s, string(document)}
	if s.token != nil {
		k.tokens[of], _ = s.token.keysOf(document)
		return
	}
	published, err := s.algorithm(document)
	if err != nil {
		published = nil
	}
	k.single[of] = usableKey{key: published}
}

// ofSecret is the key that a secret is.
func (k *Keys) ofSecret(s *compiledScheme, value secret.Value) (key usableKey, ok bool) {
	if k != nil {
		if key, known := k.single[materialOf{s, string(value.Reveal())}]; known {
			return key, key.key != nil
		}
	}
	key, err := s.prepare(value)
	return key, err == nil
}

// published is the key that a sender publishes.
func (k *Keys) published(s *compiledScheme, document []byte) (key keymaterial.Key, ok bool) {
	if k != nil {
		if known, ok := k.single[materialOf{s, string(document)}]; ok {
			return known.key, known.key != nil
		}
	}
	key, err := s.algorithm(document)
	return key, err == nil
}

// tokensOfSecret are the keys for tokens that a secret is.
func (k *Keys) tokensOfSecret(s *compiledScheme, value secret.Value) []keymaterial.TokenKey {
	if k != nil {
		if keys, known := k.tokens[materialOf{s, string(value.Reveal())}]; known {
			return keys
		}
	}
	keys, _ := s.prepareToken(value)
	return keys
}

// publishedTokens are the keys for tokens that a sender publishes.
func (k *Keys) publishedTokens(s *compiledScheme, document []byte) []keymaterial.TokenKey {
	if k != nil {
		if keys, known := k.tokens[materialOf{s, string(document)}]; known {
			return keys
		}
	}
	keys, _ := s.token.keysOf(document)
	return keys
}
