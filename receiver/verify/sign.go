package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// SignOptions say how to sign a request.
type SignOptions struct {
	// Scheme is the name of the scheme to sign with; empty: the first one that can be
	// signed with what there is, those first whose signature is in the request.
	Scheme string
	// PrivateKey is a private key in PEM (PKCS #8, PKCS #1 or SEC 1), for schemes whose
	// secrets are public keys. Others sign with Material.Secrets.
	PrivateKey secret.Value
	// Now is the time that the signature names, to the precision of the scheme.
	Now time.Time
	// EventID is put where the provider reads the event's id, in place of what is
	// there. If a number is there and EventID is not a number, it becomes one; if the id
	// has several parts, the part that looks like an id changes. Empty: the request's
	// own.
	EventID string
	// FreshID is for requests that have no id of their own: it is put there as EventID is.
	FreshID string
	// EventType is put where the provider reads the event's type; empty: the
	// request's own, if it has one.
	EventType string
}

// Signed is what a receiver will say of a request that was signed.
type Signed struct {
	// Scheme is the name of the scheme that it was signed with.
	Scheme string
	// Event is the event that it is.
	Event Identification
}

// What keeps a request from being signed. The text of an error that Sign returns
// says why, for each scheme, and what to do instead.
var (
	// ErrCannotSign is what every error of Sign is.
	ErrCannotSign = errors.New("the request can't be signed")
	// ErrNeedsSecret is for schemes that sign with a secret, if no secret fits.
	ErrNeedsSecret = fmt.Errorf("%w without the secret", ErrCannotSign)
	// ErrNeedsPrivateKey is for schemes that sign with a private key that the sender
	// keeps to itself.
	ErrNeedsPrivateKey = fmt.Errorf("%w without a private key", ErrCannotSign)
	// ErrSenderOnly is for schemes that verify with what the sender publishes.
	ErrSenderOnly = fmt.Errorf("%w by others than the sender", ErrCannotSign)
	// ErrNeedsURL is for schemes that sign the URL, which is not known.
	ErrNeedsURL = fmt.Errorf("%w without the public URL", ErrCannotSign)
)

// signError is a sentence about one scheme or several.
type signError struct {
	text   string
	causes []error
}

func (e *signError) Error() string   { return e.text }
func (e *signError) Unwrap() []error { return e.causes }

// cannot makes an error of a sentence. Its arguments come from the provider's
// data, never from the request or a secret.
func cannot(kind error, format string, args ...any) error {
	return &signError{text: fmt.Sprintf(format, args...), causes: []error{kind}}
}

// Sign makes a request authentic, as the provider would have signed it at
// o.Now: it writes signature, timestamp and the rest of what the scheme needs
// into header, query and body of r, in place of what stands there. What the
// scheme requires of a request and what has one possible value is filled in,
// too. On an error r is unchanged; it is an ErrCannotSign.
//
// It is the inverse of Verify: what it made, Verify and Identify accept with m,
// or, where m has no secrets, with the public key of o.PrivateKey.
// It is deterministic: ECDSA signs as in RFC 6979.
func (v *Verifier) Sign(r *Request, m *Material, o SignOptions) (Signed, error) {
	var errs []error
	for _, s := range v.candidates(r, o.Scheme) {
		w := signing{v: v, s: s, r: r.clone(), m: m, o: o}
		w.r.tried(s)
		signed, err := w.sign()
		if err == nil {
			*r = *w.r
			return signed, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return Signed{}, cannot(ErrCannotSign, "there is no scheme %q: there are %s", o.Scheme, strings.Join(v.names(), ", "))
	}
	return Signed{}, &signError{text: join(errs, "; "), causes: errs}
}

// candidates are the schemes to sign with, in the order in which they are tried.
func (v *Verifier) candidates(r *Request, name string) []*compiledScheme {
	var present, others []*compiledScheme
	for i := range v.schemes {
		s := &v.schemes[i]
		switch _, found, _ := s.find(r); {
		case name != "" && s.name != name:
		case found:
			present = append(present, s)
		default:
			others = append(others, s)
		}
	}
	return append(present, others...)
}

// names are those of the schemes.
func (v *Verifier) names() []string {
	names := make([]string, len(v.schemes))
	for i := range v.schemes {
		names[i] = v.schemes[i].name
	}
	return names
}

// signing is a request on its way to be signed by one scheme.
type signing struct {
	v *Verifier
	s *compiledScheme
	r *Request
	m *Material
	o SignOptions

	signer        signer
	id, timestamp string // what {id} and {timestamp} stand for
}

// sign takes the steps in an order in which none changes what an earlier one has
// signed: first the body, then what is made of it.
func (w *signing) sign() (Signed, error) {
	w.clear()
	steps := [...]func() error{
		w.findSigner,
		w.setMediaType,
		w.satisfyConditions,
		w.setKeyID,
		w.setID,
		w.setTimestamp,
		w.setClaims,
		w.setIdentity,
		w.setBodyDigest,
		w.setURLDigests,
		w.setSignedHeaders,
		w.write,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return Signed{}, err
		}
	}
	return w.check()
}

// cannot makes an error of a sentence about the scheme.
func (w *signing) cannot(format string, args ...any) error {
	return w.cannotFor(ErrCannotSign, format, args...)
}

func (w *signing) cannotFor(kind error, format string, args ...any) error {
	return cannot(kind, "the scheme %s %s", w.s.name, fmt.Sprintf(format, args...))
}

// refused makes an error of a rejection. Its detail is written for senders.
func (w *signing) refused(rejection *Rejection) error {
	if rejection.Reason == NoPublicURL {
		return w.cannotFor(ErrNeedsURL, "signs the URL: give the public URL, as the sender has it")
	}
	return w.cannot("would refuse the request: %s", rejection.Detail)
}

// clear takes away signatures that stand in the request, of whatever scheme: the
// first that is there judges. Those in the body stay; see check. With the signature
// of another scheme go its id and its time: a handler that finds them first takes
// them for those of this event.
func (w *signing) clear() {
	for i := range w.v.schemes {
		s := &w.v.schemes[i]
		for _, at := range s.from {
			w.drop(at)
		}
		for _, at := range s.companions() {
			if s != w.s && !w.reads(at) {
				w.drop(at)
			}
		}
	}
}

func (w *signing) drop(at place) {
	if at.kind == inHeader || at.kind == inQuery {
		w.r.drop(at)
	}
}

// reads reports whether the scheme, or the identity of events, has a use for what is
// in that place, or whether the choice of a scheme depends on it.
func (w *signing) reads(at place) bool {
	same := func(c condition) bool { return c.at.same(at) }
	return w.writes(at) || slices.ContainsFunc(w.s.require, same) ||
		slices.ContainsFunc(w.v.schemes, func(s compiledScheme) bool { return slices.ContainsFunc(s.when, same) }) ||
		slices.ContainsFunc(slices.Concat(w.s.contents, w.v.ids, w.v.types), func(t template) bool { return t.takesFrom(at) })
}

// setMediaType declares the body as what the scheme is for.
func (w *signing) setMediaType() error {
	switch wanted := w.s.mediaType; {
	case wanted == "" || w.r.mediaType() == wanted:
		return nil
	case len(w.r.Header["Content-Type"]) > 0:
		return w.cannot("is for bodies of the type %s: give such a body and its content type", wanted)
	default:
		w.r.Header["Content-Type"] = []string{wanted}
		return nil
	}
}

// satisfyConditions fills in places for which the conditions of the scheme allow one
// value only. It doesn't change a request that is of another scheme.
func (w *signing) satisfyConditions() error {
	for i := range w.s.when {
		if err := w.satisfy(&w.s.when[i], false); err != nil {
			return err
		}
	}
	for i := range w.s.require {
		if err := w.satisfy(&w.s.require[i], true); err != nil {
			return err
		}
	}
	return nil
}

func (w *signing) satisfy(c *condition, overwrite bool) error {
	if c.absent && w.r.has(c.at) {
		return w.cannot("has a condition: %s %s: take it out", c.at, c.demand())
	} else if c.absent {
		return nil
	}
	value, rejection := w.r.lookup(c.at)
	if rejection != nil {
		return w.refused(rejection)
	}
	if c.satisfiedBy(value, w.m.Parameters) || w.writes(c.at) {
		return nil
	}
	wanted := c.equals
	if values := w.m.Parameters[c.parameter]; len(values) > 0 {
		wanted = string(values[0].Reveal())
	}
	if wanted == "" || value != "" && !overwrite {
		demand := c.demand()
		if c.pattern != nil {
			demand = "must match the regular expression " + c.pattern.String()
		}
		return w.cannot("has a condition: %s %s: set it", c.at, demand)
	}
	return w.set(c.at, wanted)
}

// writes reports whether a later step writes that place.
func (w *signing) writes(at place) bool {
	return w.s.from[0].same(at) || slices.ContainsFunc(w.s.companions(), at.same)
}

// companions are the places of what stands beside a signature.
func (s *compiledScheme) companions() []place {
	var places []place
	for _, at := range []*place{s.id, s.keyID} {
		if at != nil {
			places = append(places, *at)
		}
	}
	if s.bodyDigest != nil {
		places = append(places, s.bodyDigest.from)
	}
	if s.headers != nil {
		places = append(places, s.headers.from)
	}
	if s.timestamp != nil && !s.timestamp.inSignature {
		places = append(places, s.timestamp.from)
	}
	return places
}

// setKeyID names the key.
func (w *signing) setKeyID() error {
	if w.s.keyID == nil {
		return nil
	}
	return w.set(*w.s.keyID, w.signer.id)
}

// setID gives {id} a value, if the scheme has one.
func (w *signing) setID() error {
	if w.s.id == nil {
		return nil
	}
	present, rejection := w.r.lookup(*w.s.id)
	if rejection != nil {
		return w.refused(rejection)
	}
	id := w.o.EventID
	switch {
	case id == "" && present != "":
		w.id = present
		return nil
	case id == "":
		id = w.o.FreshID
	}
	if id == "" {
		return w.cannot("signs an id, which is missing in %s: give an event id", w.s.id)
	}
	w.id = id
	return w.set(*w.s.id, id)
}

// setTimestamp writes the time.
func (w *signing) setTimestamp() error {
	t := w.s.timestamp
	if t == nil {
		return nil
	}
	w.timestamp = t.unit.format(w.o.Now)
	if t.inSignature {
		return nil
	}
	return w.set(t.from, w.timestamp)
}

// setBodyDigest writes the digest of the body. Where the sender can do without,
// only one that is there is brought up to date.
func (w *signing) setBodyDigest() error {
	d := w.s.bodyDigest
	if d == nil || d.absentWhenEmpty && len(w.r.content()) == 0 {
		return nil
	}
	if d.optional && !w.r.has(d.from) {
		return nil
	}
	digest := w.r.contentSHA256()
	return w.set(d.from, d.encoding.encode(digest[:]))
}

// setSignedHeaders names the headers that are signed, if the request doesn't.
func (w *signing) setSignedHeaders() error {
	h := w.s.headers
	if h == nil {
		return nil
	}
	if _, rejection := h.text(w.r); rejection == nil {
		return nil
	}
	return w.set(h.from, strings.Join(h.required, ","))
}

// write signs, and writes the signature into the first of its places.
func (w *signing) write() error {
	text, err := w.signature()
	if err != nil {
		return err
	}
	return w.set(w.s.from[0], text)
}

// signature is the value that holds the signature.
func (w *signing) signature() (string, error) {
	s := w.s
	if s.token != nil {
		token, err := w.token()
		return s.signature.Prefix + token, err
	}
	m := message{}
	if !s.credential {
		sc, _, rejection := s.scope(w.r, found{timestamp: w.timestamp}, w.m.Parameters)
		if rejection != nil {
			return "", w.refused(rejection)
		}
		sc.url, sc.secret = s.urlForms[0].spell(sc.url), w.signer.material
		if m, rejection = s.contents[0].message(nil, sc); rejection != nil {
			return "", w.refused(rejection)
		}
	}
	signature, err := w.signMessage(m.Message)
	if err != nil {
		return "", err
	}
	if s.named == Basic {
		return "Basic " + Base64.encode(signature), nil
	}
	return s.signature.write(s.signature.Encoding.encode(signature), w.signer.id, w.timestamp), nil
}

func (w *signing) signMessage(m keymaterial.Message) ([]byte, error) {
	signature, err := w.signer.Sign(m)
	if err != nil {
		return nil, w.cannot("can't be signed with this private key: make another")
	}
	return signature, nil
}

// check judges the request as a receiver does. It refuses what can't be signed by this
// scheme: for example if the signature overwrites what it signs, or if an earlier
// scheme finds its signature in the body.
func (w *signing) check() (Signed, error) {
	if s, _, _ := w.v.choose(w.r, w.m.Parameters); s != nil && s != w.s {
		if s.from[0].same(w.s.from[0]) {
			return Signed{}, w.cannot("would not judge the request, but %s, which such a body is for: give another body and its content type, or sign with that scheme", s.name)
		}
		return Signed{}, w.cannot("would not judge the request, but %s, whose signature is in the body: take it out, or sign with that scheme", s.name)
	}
	verdict, err := w.v.Verify(w.r, w.judges(), w.o.Now)
	if err != nil {
		return Signed{}, w.notAccepted(err)
	}
	event, err := w.v.Identify(w.r, verdict)
	if rejection, ok := errors.AsType[*Rejection](err); ok {
		return Signed{}, w.refused(rejection)
	}
	if w.o.EventType != "" && event.Type != w.o.EventType {
		return Signed{}, w.cannot("leaves no choice of that event type: the provider makes it of %s; leave it out, or change the body", w.v.typePlaces())
	}
	return Signed{Scheme: w.s.name, Event: event}, nil
}

// notAccepted says why what was signed would be refused.
func (w *signing) notAccepted(err error) error {
	rejection, ok := errors.AsType[*Rejection](err)
	switch {
	case !ok:
		return w.cannot("would refuse the request")
	case w.signer.private != nil && (rejection.Reason == WrongSignature || rejection.Reason == NoUsableKey):
		return w.cannotFor(ErrNeedsPrivateKey, "verifies with another public key: put that of the private key into the endpoint's Secret, or sign with the private key that belongs to it")
	}
	return w.refused(rejection)
}
