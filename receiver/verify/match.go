package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// signatureOf is a candidate, decoded, and the id of its key if it has one.
type signatureOf struct {
	keyID string
	bytes []byte
}

// decodeAll decodes the candidates. Those that can't be decoded are skipped if
// another can: senders list more than one during a rotation.
func (s *compiledScheme) decodeAll(r *Request, f found) ([]signatureOf, *Rejection) {
	keyID := ""
	if s.keyID != nil {
		var rejection *Rejection
		if keyID, rejection = r.lookup(*s.keyID); rejection != nil {
			return nil, rejection
		}
		if keyID == "" {
			return nil, reject(PreconditionFailed, "%s is missing: it names the key", s.keyID)
		}
	}
	signatures := make([]signatureOf, 0, len(f.candidates))
	for _, c := range f.candidates {
		if s.signature.Pairs != nil {
			keyID = c.keyID
		}
		if decoded, err := s.decode(c.text); err == nil && len(decoded) > 0 {
			signatures = append(signatures, signatureOf{keyID, decoded})
		}
	}
	if len(signatures) == 0 {
		return nil, reject(MalformedSignature, "there is no signature that is written as the scheme %s does it: %s", s.name, s.spelling())
	}
	return signatures, nil
}

// spelling says how a signature of the scheme is written.
func (s *compiledScheme) spelling() string {
	if s.named == Basic {
		return `"Basic", a space and "user:password" in base64, with its padding`
	}
	return s.signature.spelling()
}

// matchAny tries every candidate with every key and every content, whatever
// matched before, and returns the index of the first key that matched and the
// digest of the content that did.
func (s *compiledScheme) matchAny(sc *scope, signatures []signatureOf, keys []usableKey) (index int, digest [sha256.Size]byte, rejection *Rejection) {
	matched := 0
	for i := range slices.Backward(keys) {
		k := &keys[i]
		hit, signed, rejection := s.matchKey(sc, k, signaturesOf(signatures, k.id))
		if rejection != nil {
			return 0, digest, rejection
		}
		index = subtle.ConstantTimeSelect(hit, i, index)
		if matched |= hit; hit == 1 {
			digest = signed
		}
	}
	if matched == 0 {
		return 0, digest, reject(WrongSignature, "no signature matches: is the secret the same on both sides, and the body unchanged?")
	}
	return keys[index].index, digest, nil
}

// matchKey tries one key with every content that the sender may have signed.
func (s *compiledScheme) matchKey(sc *scope, k *usableKey, signatures [][]byte) (matched int, digest [sha256.Size]byte, rejection *Rejection) {
	if s.credential {
		if matched = k.key.Match(keymaterial.Message{}, signatures); matched == 1 {
			digest = sc.request.BodySHA256()
		}
		return matched, digest, nil
	}
	addresses := []string{sc.url}
	if slices.ContainsFunc(s.contents, template.hasURL) {
		addresses = s.addresses(sc.url)
	}
	for _, t := range s.contents {
		for i, address := range addresses {
			if i > 0 && !t.hasURL() {
				break
			}
			variant := *sc
			variant.url, variant.secret = address, k.material
			m, rejection := t.message(make([]byte, 0, headSize), &variant)
			if rejection != nil {
				return 0, digest, rejection
			}
			hit := k.key.Match(m.Message, signatures)
			if matched |= hit; hit == 1 {
				digest = t.digest(&variant, m)
			}
		}
	}
	return matched, digest, nil
}

// addresses are the spellings of the URL that the sender may have signed, each once.
func (s *compiledScheme) addresses(address string) (list []string) {
	for _, form := range s.urlForms {
		for _, spelled := range withoutMark(form.spell(address)) {
			if !slices.Contains(list, spelled) {
				list = append(list, spelled)
			}
		}
	}
	return list
}

// withoutMark are the spellings of a URL that ends in "?": with it, as it may have
// been registered with the sender, and without, as a proxy may have added it.
func withoutMark(address string) []string {
	if bare, ok := strings.CutSuffix(address, "?"); ok {
		return []string{address, bare}
	}
	return []string{address}
}

// headSize holds what most schemes write before the body.
const headSize = 64

// digest is that of the message; where the message holds the secret, of the
// message without it: the digest is remembered outside of this process.
func (t template) digest(s *scope, m message) [sha256.Size]byte {
	if t.has(varSecret) {
		s.secret = nil
		m, _ = t.message(nil, s)
	}
	return m.digest(s.request)
}

// signaturesOf are the signatures made with the key of that id.
func signaturesOf(signatures []signatureOf, keyID string) [][]byte {
	list := make([][]byte, 0, len(signatures))
	for _, signature := range signatures {
		if signature.keyID == keyID {
			list = append(list, signature.bytes)
		}
	}
	return list
}

// checkBodyDigest compares the body with the digest that was signed instead of it.
func (s *compiledScheme) checkBodyDigest(r *Request) *Rejection {
	if s.bodyDigest == nil {
		return nil
	}
	text, rejection := r.lookup(s.bodyDigest.from)
	if rejection != nil {
		// A signed URL says it as often as the sender wrote it: equal copies say one thing.
		var same bool
		if text, same = r.copies(s.bodyDigest.from); !same {
			return rejection
		}
	}
	if text == "" && (s.bodyDigest.optional || s.bodyDigest.absentWhenEmpty && len(r.content()) == 0) {
		return nil
	}
	if text == "" {
		return reject(PreconditionFailed, "%s is missing: it ties the body to the signature", s.bodyDigest.from)
	}
	signed, err := s.bodyDigest.encoding.decode(text)
	if digest := r.contentSHA256(); err != nil || subtle.ConstantTimeCompare(digest[:], signed) != 1 {
		return reject(WrongSignature, "the body does not have the digest that is in %s", s.bodyDigest.from)
	}
	return nil
}
