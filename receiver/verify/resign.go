package verify

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/verify/document"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// Resign signs a request anew that was verified when it came, as its sender would
// sign it at now: by the scheme of that name (Verdict.Scheme), with the newest
// secret of m. It replaces timestamp and signature where they stand, and what is
// made of them; the id of the event, and all else, stays as it is. An empty name,
// or one that the provider doesn't have any more, stands for the scheme whose
// signature is in the request.
//
// Where the sender sends the secret itself there is nothing to be made anew, and
// the request stays as it is. On an error, which is an ErrCannotSign, r must not
// be used. Header and body that r had before are not changed.
//
// Only the scheme that judged the request signs it. Another one may sign more of
// it, and nobody has vouched for that.
func (v *Verifier) Resign(r *Request, scheme string, m *Material, now time.Time) error {
	s := v.signedBy(r, scheme, m.Parameters)
	r.judgedBy(v.bodies, false) // it was verified before it was stored
	if s == nil {
		if slices.ContainsFunc(v.schemes, func(s compiledScheme) bool { return s.bearer() }) {
			return nil // by a token, which was taken out
		}
		return cannot(ErrCannotSign, "the request carries no signature of the provider's")
	}
	r.tried(s)
	f, present, rejection := s.find(r)
	w := signing{v: v, s: s, r: r, m: m, o: SignOptions{Now: now}}
	switch {
	case rejection != nil:
		return w.refused(rejection)
	case s.credential, !present && s.bearer():
		return nil
	case !present:
		return w.cannot("signed the request, and its signature is not there any more")
	case s.encoding == Decoded && !r.decodable():
		return w.cannot("signs the decompressed body, and this one can't be decompressed")
	}
	if r.Header = r.Header.Clone(); r.Header == nil {
		r.Header = http.Header{}
	}
	return w.renew(f)
}

// signedBy is the scheme that a request was verified by; nil: none of those that
// there are.
func (v *Verifier) signedBy(r *Request, name string, p Parameters) *compiledScheme {
	for i := range v.schemes {
		if v.schemes[i].name == name {
			return &v.schemes[i]
		}
	}
	s, _, _ := v.choose(r, p)
	return s
}

// renew signs as the sender did.
func (w *signing) renew(f found) error {
	if w.s.token != nil {
		return w.renewToken(f)
	}
	if err := w.takeSigner(f); err != nil {
		return err
	}
	content, address := w.spelling(f)
	if err := w.renewTimestamp(f.timestamp); err != nil {
		return err
	}
	sc, _, rejection := w.s.scope(w.r, found{timestamp: w.timestamp}, w.m.Parameters)
	if rejection != nil {
		return w.refused(rejection)
	}
	addresses := w.s.addresses(sc.url)
	sc.url, sc.secret = addresses[min(address, len(addresses)-1)], w.signer.material
	m, rejection := content.message(make([]byte, 0, headSize), sc)
	if rejection != nil {
		return w.refused(rejection)
	}
	signature, err := w.signMessage(m.Message)
	if err != nil || w.s.timestamp == nil && w.carries(f, signature) {
		return err
	}
	return w.rewrite(w.s.signature.Encoding.encode(signature))
}

// takeSigner takes the newest secret that fits, and where secrets have ids, the newest
// one of the id that the request names: the endpoint may have several at a time.
func (w *signing) takeSigner(f found) error {
	keys := w.s.secretKeys(w.m)
	if len(keys) == 0 || w.s.source != nil || w.s.publicKeys() {
		return w.findSigner() // which says why not
	}
	chosen := &keys[0]
	if w.s.keyed() {
		signatures, _ := w.s.decodeAll(w.r, f)
		for i := range keys {
			if len(signaturesOf(signatures, keys[i].id)) > 0 {
				chosen = &keys[i]
				break
			}
		}
	}
	made, err := newSigner(*chosen, nil)
	if err != nil {
		return w.findSigner()
	}
	w.signer = made
	return nil
}

// spelling is the content that the sender signed, and the index of the spelling of the
// URL in it, where senders have a choice: those for which the signature matches. If its
// secret is gone, they are the first ones.
func (w *signing) spelling(f found) (content template, address int) {
	s := w.s
	addresses := s.addresses(w.r.URL)
	if len(s.contents) == 1 && (len(addresses) == 1 || !s.contents[0].hasURL()) {
		return s.contents[0], 0
	}
	sc, _, rejection := s.scope(w.r, f, w.m.Parameters)
	signatures, unreadable := s.decodeAll(w.r, f)
	if rejection != nil || unreadable != nil {
		return s.contents[0], 0
	}
	for _, k := range s.secretKeys(w.m) {
		for _, content := range s.contents {
			for i, spelled := range addresses {
				variant := *sc
				variant.url, variant.secret = spelled, k.material
				m, rejection := content.message(nil, &variant)
				if rejection == nil && k.key.Match(m.Message, signaturesOf(signatures, k.id)) == 1 {
					return content, i
				}
			}
		}
	}
	return s.contents[0], 0
}

// renewTimestamp writes the time as the sender wrote it. A time that is written
// in a way that nobody knows stays: it is not understood, so it is not judged.
func (w *signing) renewTimestamp(inSignature string) error {
	t := w.s.timestamp
	if t == nil {
		return nil
	}
	old, _, rejection := t.read(w.r, inSignature)
	if rejection != nil {
		return w.refused(rejection)
	}
	w.timestamp = old
	if t.unit == "" {
		return nil
	}
	w.timestamp = t.unit.formatLike(old, w.o.Now)
	if t.inSignature {
		return nil
	}
	if err := w.set(t.from, w.timestamp); err != nil {
		return err
	}
	if t.from.kind == inForm || t.from.kind == inJSON {
		return w.setBodyDigest()
	}
	return nil
}

// formatLike is format, with a fraction of a second if old has one.
func (u Unit) formatLike(old string, now time.Time) string {
	if u == RFC3339 && strings.Contains(old, ".") {
		return now.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	return u.format(now)
}

// carries reports whether a signature is in the request already.
func (w *signing) carries(f found, signature []byte) bool {
	signatures, _ := w.s.decodeAll(w.r, f)
	return slices.ContainsFunc(signaturesOf(signatures, w.signer.id), func(other []byte) bool { return subtle.ConstantTimeCompare(signature, other) == 1 })
}

// rewrite puts a signature into each place in which there is one.
func (w *signing) rewrite(text string) error {
	for _, at := range w.s.from {
		old, rejection := w.r.lookup(at)
		if w.s.signature.Repeated && len(w.r.Header[at.name]) > 0 {
			old, rejection = w.r.Header[at.name][0], nil
		}
		if rejection != nil {
			return w.refused(rejection)
		}
		if old == "" {
			continue
		}
		if err := w.set(at, w.s.signature.replace(old, text, w.signer.id, w.timestamp)); err != nil {
			return err
		}
	}
	return nil
}

// replace is write, in the way in which old is written.
func (g Signature) replace(old, text, keyID, timestamp string) string {
	switch {
	case g.Encoding == Hex && strings.ContainsAny(old, "ABCDEF") && !strings.ContainsAny(strings.TrimPrefix(old, g.Prefix), "abcdef"):
		text = strings.ToUpper(text)
	case g.Encoding == Base64URL && strings.HasSuffix(old, "="):
		text += strings.Repeat("=", (4-len(text)%4)%4)
	}
	switch {
	case g.KeyValue != nil:
		return g.KeyValue.replace(old, text, timestamp)
	case g.PrefixOptional && !strings.HasPrefix(old, g.Prefix):
		return text
	}
	return g.write(text, keyID, timestamp)
}

// replace writes timestamp and signature in place of those that are there.
// Further signatures go: they are of another time, or by another secret.
func (kv *KeyValue) replace(old, text, timestamp string) string {
	var items []string
	signed := false
	for item := range strings.SplitSeq(old, kv.Separator) {
		name, _, _ := strings.Cut(item, kv.Equals)
		bare := name
		if kv.TrimSpace {
			bare = strings.Trim(name, blanks)
		}
		switch {
		case bare == kv.SignatureKey && signed:
			continue
		case bare == kv.SignatureKey:
			signed, item = true, name+kv.Equals+text
		case kv.TimestampKey != "" && bare == kv.TimestampKey:
			item = name + kv.Equals + timestamp
		}
		items = append(items, item)
	}
	return strings.Join(items, kv.Separator)
}

// renewToken moves the times of the token that is there on to now, and signs it.
func (w *signing) renewToken(f found) error {
	if err := w.findSigner(); err != nil {
		return err
	}
	t, rejection := w.s.token.parse(f)
	if rejection == nil {
		w.r.claims, rejection = t.claims()
	}
	if rejection != nil {
		return w.refused(rejection)
	}
	if err := w.moveTimes(); err != nil {
		return err
	}
	if err := w.setURLDigests(); err != nil {
		return err
	}
	head, _, _ := strings.Cut(t.text, ".")
	text := head + "." + Base64URL.encode(w.r.claims)
	w.r.forget()
	signature, err := w.signMessage(keymaterial.Message{Head: []byte(text)})
	if err != nil {
		return err
	}
	return w.rewrite(text + "." + Base64URL.encode(signature))
}

// moveTimes moves the times of a token, so that it is issued now and valid for as long
// as it was. It adds no claims.
func (w *signing) moveTimes() error {
	names := [...]string{"iat", "nbf", "exp"}
	var moved time.Duration
	known := false
	for _, name := range names {
		at, rejection := numericDate(w.r.claims, name)
		if rejection != nil {
			return w.refused(rejection)
		}
		if at.IsZero() {
			continue
		}
		if !known {
			known, moved = true, w.o.Now.Sub(at)
			if name == "exp" { // which is all that it says of its time
				moved += tokenLifetime
			}
		}
		claims, err := document.Pointer{name}.Put(w.r.claims, strconv.FormatInt(at.Add(moved).Unix(), 10), true)
		if err != nil {
			return w.cannot("has a claim %s that is no time", name)
		}
		w.r.claims = claims
	}
	return nil
}

// Resigns says why Resign can't sign what senders of the provider send; nil: it can.
// forwarded: the secret that some of them send is still in the request.
func (v *Verifier) Resigns(forwarded bool) error {
	signs, removed := false, ""
	for i := range v.schemes {
		switch s := &v.schemes[i]; {
		case s.source != nil || s.publicKeys():
			return cannot(ErrNeedsPrivateKey, "the sender signs with a private key that only it has (scheme %s)", s.name)
		case s.credential:
		case s.bearer() && !forwarded:
			removed = s.name
		default:
			signs = true
		}
	}
	switch {
	case signs:
		return nil
	case removed != "":
		return cannot(ErrCannotSign, "the token that the sender signs is taken out (scheme %s): set credentials to Forward, too", removed)
	}
	return cannot(ErrCannotSign, "the sender sends the secret itself and signs nothing: leave it out, and set credentials to Forward if the handler checks the secret")
}
