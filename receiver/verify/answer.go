package verify

import (
	"net/http"
	"slices"

	"sallyport.dev/sallyport/receiver/verify/document"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// compiledHandshake is a Handshake, checked and made ready.
type compiledHandshake struct {
	name         string
	method       string
	match, guard conditions
	unsigned     bool
	probe        bool
	answer       compiledAnswer
	confirm      *compiledConfirmation
}

// compiledAnswer is a HandshakeAnswer, checked and made ready.
type compiledAnswer struct {
	status      int
	contentType string // empty: there is no body
	headers     []compiledField
	body        template
	object      []compiledField
}

type compiledField struct {
	name  string
	value template
	// number is the value of a JSON member that is a number; empty: the value is a text.
	number string
}

type compiledConfirmation struct {
	from place
	urls *URLPattern
}

// Handshake answers r if it is a handshake, and returns nil if it is something else.
// Without a verdict it looks at handshakes that the sender doesn't sign; call it so
// before Verify. With the verdict of Verify it looks at the signed ones. The error is
// a *Rejection.
//
// A request that it answers is not an event. With a verdict, it refuses a request that
// is not a handshake, if the scheme delivers no events by its method.
func (v *Verifier) Handshake(r *Request, m *Material, verdict *Verdict) (*Answer, error) {
	if verdict == nil && len(r.Body) > maxHandshake {
		return nil, nil // no sender's is so large, and anybody could have it read
	}
	r.judgedBy(v.bodies, verdict == nil)
	for i := range v.handshakes {
		h := &v.handshakes[i]
		if h.method != r.Method || h.unsigned != (verdict == nil) || h.probe && v.hasSignature(r) {
			continue
		}
		meant, rejection := h.match.satisfiedBy(r, m.Parameters)
		if rejection != nil {
			return nil, rejection
		}
		if !meant || verdict == nil && r.trust.missed { // nobody knows whether a compressed body has what it must not have
			continue
		}
		answer, rejection := h.respond(&scope{request: r, parameters: m.Parameters, answering: v.answering, secrets: m.Secrets})
		if rejection != nil {
			return nil, rejection
		}
		if r.trust.relied && !r.isJSON() {
			continue
		}
		return answer, nil
	}
	if verdict != nil && verdict.noEvent {
		return nil, reject(MalformedHandshake, "this is none of the handshakes that the sender makes by this method, and it delivers no events by it")
	}
	return nil, nil // most requests are no handshakes, which is no error
}

// hasSignature reports whether there is something in a place of a signature, of any
// scheme.
func (v *Verifier) hasSignature(r *Request) bool {
	return slices.ContainsFunc(v.schemes, func(s compiledScheme) bool {
		_, present, rejection := s.find(r)
		return present || rejection != nil
	})
}

// Delivers reports whether a request by that method may be an event, or a handshake
// that is signed, so that it has to be verified.
func (v *Verifier) Delivers(method string) bool {
	return v.signsHandshakes(method) || slices.ContainsFunc(v.schemes, func(s compiledScheme) bool { return s.delivers(method) })
}

// signsHandshakes reports whether the sender signs handshakes of that method.
func (v *Verifier) signsHandshakes(method string) bool {
	return slices.ContainsFunc(v.handshakes, func(h compiledHandshake) bool { return h.method == method && !h.unsigned })
}

// Methods are the HTTP methods that the provider's requests have, sorted: those by
// which events come, and those of handshakes.
func (v *Verifier) Methods() []string {
	var methods []string
	for i := range v.schemes {
		methods = append(methods, v.schemes[i].methods...)
	}
	for i := range v.handshakes {
		methods = append(methods, v.handshakes[i].method)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// respond answers the handshake, if its guard holds.
func (h *compiledHandshake) respond(s *scope) (*Answer, *Rejection) {
	if rejection := h.refuse(s); rejection != nil {
		return nil, rejection
	}
	answer := &Answer{Handshake: h.name, Status: h.answer.status, Header: http.Header{}}
	var rejection *Rejection
	if answer.Confirm, rejection = h.confirm.url(s.request); rejection != nil {
		return nil, rejection
	}
	if rejection := h.answer.writeHeader(answer.Header, s); rejection != nil {
		return nil, rejection
	}
	answer.Body, rejection = h.answer.content(s)
	if rejection != nil {
		return nil, rejection
	}
	return answer, nil
}

// refuse says which condition of the guard does not hold.
func (h *compiledHandshake) refuse(s *scope) *Rejection {
	failed, rejection := h.guard.firstFailed(s.request, s.parameters)
	switch {
	case rejection != nil || failed == nil:
		return rejection
	case failed.parameter != "":
		return reject(HandshakeRefused, "%s must be a value of the parameter %s", failed.at, failed.parameter)
	case failed.equals != "":
		return reject(HandshakeRefused, "%s must be %q", failed.at, failed.equals)
	}
	return reject(MalformedHandshake, "%s is missing, or not written as the sender writes it", failed.at)
}

// url is the URL to request; empty: there is none.
func (c *compiledConfirmation) url(r *Request) (string, *Rejection) {
	if c == nil {
		return "", nil
	}
	address, rejection := r.lookup(c.from)
	switch {
	case rejection != nil:
		return "", rejection
	case address == "":
		return "", reject(MalformedHandshake, "%s is missing: it says what confirms the handshake", c.from)
	case !c.urls.Allows(address):
		return "", reject(HandshakeRefused, "%s must be an https URL by which the sender has handshakes confirmed", c.from)
	}
	return address, nil
}

// writeHeader writes the header. A stranger may make somebody's browser come here, so
// browsers must not take what is echoed for anything but its declared type.
func (a *compiledAnswer) writeHeader(header http.Header, s *scope) *Rejection {
	for _, field := range a.headers {
		value, ok, rejection := field.value.text(s)
		if rejection != nil {
			return rejection
		}
		if ok {
			header.Set(field.name, value)
		}
	}
	header.Set("X-Content-Type-Options", "nosniff")
	if a.contentType != "" {
		header.Set("Content-Type", a.contentType)
	}
	return nil
}

// content is the body; nil: there is none.
func (a *compiledAnswer) content(s *scope) ([]byte, *Rejection) {
	if len(a.object) > 0 {
		return a.json(s)
	}
	if len(a.body) == 0 {
		return nil, nil
	}
	body, rejection := a.body.whole(s)
	return []byte(body), rejection
}

// json writes the object. Each value is one text, whatever is in it.
func (a *compiledAnswer) json(s *scope) ([]byte, *Rejection) {
	object := []byte{'{'}
	for i, field := range a.object {
		if i > 0 {
			object = append(object, ',')
		}
		object = append(document.AppendQuoted(object, field.name), ':')
		if field.number != "" {
			object = append(object, field.number...)
			continue
		}
		value, rejection := field.value.whole(s)
		if rejection != nil {
			return nil, rejection
		}
		object = document.AppendQuoted(object, value)
	}
	return append(object, '}'), nil
}

// whole writes t for an answer. No part of it may be missing.
func (t template) whole(s *scope) (string, *Rejection) {
	text, ok, rejection := t.text(s)
	if rejection == nil && !ok {
		rejection = reject(MalformedHandshake, "%s is missing: the answer is made of it", t.describe())
	}
	return text, rejection
}

// answers is the value of a variable of an answer; empty: there is none.
func (v variable) answers(s *scope) (string, *Rejection) {
	switch v.name {
	case varKeyID:
		k, rejection := s.newestKey()
		return k.id, rejection
	case varParam:
		value, rejection := s.parameters.first(v.parameter)
		if rejection == nil && !clean(string(value), maxEcho) {
			rejection = reject(NoUsableKey, "the value of the parameter %s can't stand in an answer", v.parameter)
		}
		return string(value), rejection
	}
	texts, whole, rejection := s.request.all(v.at)
	if rejection != nil {
		return "", rejection
	}
	texts, _ = decodeAll(texts, whole, v.steps)
	if len(texts) == 0 {
		return "", nil
	}
	limit := maxEcho
	if v.mac != "" {
		limit = maxHMACInput
	}
	if !clean(texts[0], limit) {
		return "", reject(MalformedHandshake, "%s must have at most %d bytes of UTF-8 without control characters", v.at, limit)
	}
	return s.sign(texts[0], v.mac)
}

// sign writes the HMAC of text, by the key that the sender signs with; without an
// encoding, text itself.
func (s *scope) sign(text string, encoding Encoding) (string, *Rejection) {
	if encoding == "" {
		return text, nil
	}
	k, rejection := s.newestKey()
	if rejection != nil {
		return "", rejection
	}
	shared, ok := k.key.(keymaterial.SigningKey)
	if !ok {
		return "", s.answering.noUsableKey()
	}
	mac, err := shared.Sign(keymaterial.Message{Head: []byte(text)})
	if err != nil {
		return "", s.answering.noUsableKey()
	}
	return encoding.encode(mac), nil
}

// newestKey is the key of the newest secret: the sender can know of an older one
// only that it is about to end.
func (s *scope) newestKey() (usableKey, *Rejection) {
	if len(s.secrets) == 0 {
		return usableKey{}, s.answering.noUsableKey()
	}
	k, err := s.answering.prepare(s.secrets[0])
	if err != nil {
		return usableKey{}, s.answering.noUsableKey()
	}
	return k, nil
}
