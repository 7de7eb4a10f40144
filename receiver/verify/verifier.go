package verify

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Verdict is what is known of a request that is authentic.
type Verdict struct {
	// Scheme is the name of the scheme that judged.
	Scheme string
	// Key is the index of the secret that matched; of several the first. -1: the
	// scheme takes its keys from elsewhere.
	Key int
	// ContentSHA256 is the digest of what was signed (without the secret, where
	// that is part of it); for schemes that sign nothing, of the body.
	ContentSHA256 [sha256.Size]byte
	// Timestamp is when the sender signed; zero if it doesn't say.
	Timestamp time.Time

	id, timestamp string // for Identify
	noEvent       bool   // the scheme delivers nothing by this method
	credential    bool   // the sender only shows that it knows the secret
}

// Verify judges a request. material is what the endpoint verifies with; now is
// the time to compare timestamps with. The error is a *Rejection.
func (v *Verifier) Verify(r *Request, material *Material, now time.Time) (Verdict, error) {
	r.claims = nil
	s, f, rejection := v.choose(r, material.Parameters)
	if rejection != nil {
		return Verdict{}, r.explainClosed(rejection)
	}
	if (v.oracle || s.bordered) && s.encoding != Decoded && r.compressed() {
		// A text in any alphabet can be the encoding of a document, and nobody signs the header.
		return Verdict{}, reject(PreconditionFailed, "header Content-Encoding must not be there: send the body as it is signed")
	}
	verdict, rejection := s.verify(r, f, material, now)
	if rejection != nil {
		return Verdict{}, r.explainClosed(rejection)
	}
	if rejection := r.verified(); rejection != nil {
		return Verdict{}, rejection
	}
	if rejection := s.checkAuthentic(r, material.Parameters); rejection != nil {
		rejection.Authentic = true
		return Verdict{}, rejection
	}
	verdict.noEvent, verdict.credential = !s.delivers(r.Method), s.credential
	return verdict, nil
}

// checkAuthentic refuses an authentic request if its body is not what the scheme says,
// or if it is not allowed here. It comes last, so that strangers can't find that out.
// A handshake need not have the body of an event.
func (s *compiledScheme) checkAuthentic(r *Request, p Parameters) *Rejection {
	if s.bodiless(r.Method) && len(r.Body) > 0 {
		return reject(MalformedBody, "there must be no body: the scheme %s signs none of a %s", s.name, r.Method)
	}
	if s.delivers(r.Method) {
		if rejection := r.checkFormat(s.format); rejection != nil {
			return r.explainCoding(rejection)
		}
	}
	return demand(s.requireAllowed, r, p)
}

// bodiless reports whether a request by that method has no body: it needs none, and
// what is signed leaves it out. Where a credential is all that is sent, there is nothing
// that a body could be added to.
func (s *compiledScheme) bodiless(method string) bool {
	if s.credential || s.token != nil || method != http.MethodGet && method != http.MethodHead {
		return false
	}
	return !slices.ContainsFunc(s.contents, s.coversPartOfBody)
}

// choose returns the scheme that judges: the first one for requests of the method whose
// conditions hold and of whose places a signature is in.
// If that one refuses, no later scheme is tried: a sender could otherwise pick a weaker
// scheme by spoiling the signature of a stronger one.
func (v *Verifier) choose(r *Request, p Parameters) (*compiledScheme, found, *Rejection) {
	r.judgedBy(v.bodies, true)
	for i := range v.schemes {
		s := &v.schemes[i]
		r.tried(s)
		if !s.delivers(r.Method) && !v.signsHandshakes(r.Method) || s.mediaType != "" && s.mediaType != r.mediaType() {
			continue
		}
		meant, rejection := s.when.satisfiedBy(r, p)
		if rejection != nil {
			return nil, found{}, rejection
		}
		if !meant {
			continue
		}
		f, present, rejection := s.find(r)
		if rejection != nil || present {
			return s, f, rejection
		}
	}
	return nil, found{}, reject(MissingSignature, "there is no signature: it must be in %s", v.places())
}

// places names all places of signatures.
func (v *Verifier) places() string {
	var names []string
	for i := range v.schemes {
		for _, at := range v.schemes[i].from {
			if name := at.String(); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, " or ")
}

// find collects the candidates from all places of s.
func (s *compiledScheme) find(r *Request) (f found, present bool, rejection *Rejection) {
	for _, at := range s.from {
		if s.signature.Repeated {
			for _, value := range r.Header[at.name] {
				if rejection := s.take(at, value, &f, &present); rejection != nil {
					return f, true, rejection
				}
			}
			continue
		}
		value, rejection := r.lookup(at)
		if rejection == nil {
			rejection = s.take(at, value, &f, &present)
		}
		if rejection != nil {
			return f, true, rejection
		}
	}
	return f, present, nil
}

// take adds the candidates of a value that is not empty.
func (s *compiledScheme) take(at place, value string, f *found, present *bool) *Rejection {
	if value == "" {
		return nil
	}
	*present = true
	rejection := s.signature.parse(s.withPrefix(at, value), f)
	if rejection == nil && len(f.candidates) > s.candidates {
		return reject(MalformedSignature, "there are more than %d signatures: send fewer", s.candidates)
	}
	return rejection
}

// withPrefix writes the name of an authentication scheme as the provider does it:
// in the header Authorization it may have any case (RFC 9110 §11.1).
func (s *compiledScheme) withPrefix(at place, value string) string {
	prefix := s.signature.Prefix
	if at.kind == inHeader && at.name == "Authorization" && strings.HasSuffix(prefix, " ") &&
		len(value) >= len(prefix) && strings.EqualFold(value[:len(prefix)], prefix) {
		return prefix + value[len(prefix):]
	}
	return value
}

// verify judges a request by s. The order matters: somebody who can't sign learns
// nothing about the time or the body.
func (s *compiledScheme) verify(r *Request, f found, material *Material, now time.Time) (Verdict, *Rejection) {
	if rejection := demand(s.requireFixed, r, material.Parameters); rejection != nil {
		return Verdict{}, rejection
	}
	if s.token != nil {
		return s.verifyToken(r, f, material, now)
	}
	if s.encoding == Decoded && !r.decodable() {
		return Verdict{}, reject(MalformedBody, "the body can't be decompressed: its Content-Encoding must be gzip or deflate, and it must not be too large")
	}
	scope, at, rejection := s.scope(r, f, material.Parameters)
	if rejection != nil {
		return Verdict{}, rejection
	}
	signatures, rejection := s.decodeAll(r, f)
	if rejection != nil {
		return Verdict{}, rejection
	}
	keys, rejection := s.keys(r, material, now)
	if rejection != nil {
		return Verdict{}, rejection
	}
	index, digest, rejection := s.matchAny(scope, signatures, keys)
	if rejection != nil {
		return Verdict{}, s.explain(rejection, r)
	}
	if s.timestamp != nil {
		if rejection := s.timestamp.judge(at, now); rejection != nil {
			return Verdict{}, rejection
		}
	}
	if rejection := s.checkBodyDigest(r); rejection != nil {
		return Verdict{}, rejection
	}
	return Verdict{Scheme: s.name, Key: index, ContentSHA256: digest, Timestamp: at, id: scope.id, timestamp: scope.timestamp}, nil
}

// demand refuses a request that doesn't satisfy what the scheme requires of it.
func demand(required conditions, r *Request, p Parameters) *Rejection {
	failed, rejection := required.firstFailed(r, p)
	if rejection != nil || failed == nil {
		return rejection
	}
	return reject(PreconditionFailed, "%s %s", failed.at, failed.demand())
}

// scope reads what templates need.
func (s *compiledScheme) scope(r *Request, f found, p Parameters) (*scope, time.Time, *Rejection) {
	var (
		sc        = &scope{request: r, url: r.URL, parameters: p}
		at        time.Time
		rejection *Rejection
	)
	if s.headers != nil {
		if sc.signedHeaders, rejection = s.headers.text(r); rejection != nil {
			return nil, at, rejection
		}
	}
	if s.timestamp != nil {
		if sc.timestamp, at, rejection = s.timestamp.read(r, f.timestamp); rejection != nil {
			return nil, at, rejection
		}
	}
	if s.id != nil {
		if sc.id, rejection = r.lookup(*s.id); rejection != nil {
			return nil, at, rejection
		}
		if sc.id == "" {
			return nil, at, reject(MissingID, "%s is missing: it is the event id, and it is signed", s.id)
		}
	}
	return sc, at, nil
}
