package route

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// errForeign says that a Secret's name is not that of its route's endpoint.
var errForeign = errors.New("the route belongs to another endpoint than the Secret's name says")

// Entry is a route with all that can be computed before a request. It is made once,
// when the route changes. All fields are read-only.
type Entry struct {
	// Route is the route itself. If Invalid is set, only its Endpoint's namespace and
	// name, and its Path, are meaningful.
	Route Route
	// Name is "namespace/name" of the endpoint.
	Name string
	// Invalid says why the route could not be decoded or compiled; nil if it could.
	Invalid error
	// Verifier is the compiled provider; nil while the endpoint is Unavailable.
	Verifier *verify.Verifier
	// CredentialHeaders are the headers that carry the sender's secret itself and
	// must not be stored; in canonical form.
	CredentialHeaders []string
	// CredentialQuery are the parameters of the URL that carry it.
	CredentialQuery []string

	// Rate is the token bucket for authentic requests; nil if there is no rate limit. A
	// change of the route that leaves the limit alone keeps the bucket.
	Rate *rate.Limiter

	// Methods are the HTTP methods that the endpoint answers; nil while it is
	// Unavailable.
	Methods []string
	// NeedsCertificate reports whether requests may name the certificate of their
	// signature.
	NeedsCertificate bool
	// Handshakes is the token bucket for unsigned handshakes. It is one bucket as long as
	// the endpoint has a route, whatever changes.
	Handshakes *rate.Limiter

	// matchers are those of Route.Routes, in the same order; nil while the endpoint
	// is Unavailable.
	matchers []*match.Matcher
	// digest is that of the object, see Object.digest.
	digest [sha256.Size]byte
	// material holds the keys that requests are verified with. Its Secrets are all values
	// of Route.Keys, or nil during a rotation, while some of them end.
	material verify.Material
	// use records which keys are used during a rotation; nil: no key ends.
	use *keyUse
}

// Unsigned handshakes are few: a sender makes one when it is set up, the busiest one an
// hour. The bucket bounds how often strangers can get a signature or guess a verify token.
const (
	handshakesPerSecond = 10
	handshakesBurst     = 20
)

// Unavailable says why the endpoint can't serve now; empty if it can.
func (e *Entry) Unavailable() string {
	if e.Invalid != nil {
		return e.Invalid.Error()
	}
	return e.Route.Unavailable
}

// Material holds the keys that a request at now is verified with. The caller must not
// change it.
func (e *Entry) Material(now time.Time) *verify.Material {
	if e.use == nil {
		return &e.material
	}
	material := e.material
	material.Secrets = e.liveKeys(now)
	return &material
}

// liveKeys returns the keys that are valid at now, newest first.
func (e *Entry) liveKeys(now time.Time) []secret.Value {
	live := make([]secret.Value, 0, len(e.Route.Keys))
	for i := range e.Route.Keys {
		if key := &e.Route.Keys[i]; key.live(now) {
			live = append(live, key.Value)
		}
	}
	return live
}

// live reports whether the key is valid at now.
func (k *Key) live(now time.Time) bool { return k.NotAfter == nil || now.Before(*k.NotAfter) }

// newEntry makes an entry of o. It takes counters and buckets over from previous, the
// entry that the object had before, which may be nil. ok is false if o belongs to no
// endpoint.
func newEntry(o Object, previous *Entry) (entry *Entry, ok bool) {
	known, ok := o.fallback()
	if !ok {
		return nil, false
	}
	entry = &Entry{
		Route: known, Name: known.Endpoint.String(), digest: o.digest(),
		Handshakes: rate.NewLimiter(handshakesPerSecond, handshakesBurst),
	}
	entry.Invalid = entry.compile(o)
	entry.material = newMaterial(&entry.Route)
	if entry.Verifier != nil {
		entry.material.Keys = entry.Verifier.Prepare(allValues(entry.Route.Keys), entry.material.Fetched)
	}
	entry.use = newKeyUse(entry.Route.Keys)
	entry.Rate = newRate(entry.Route.Limits.RateLimit)
	if previous != nil {
		entry.inherit(previous)
	}
	return entry, true
}

// compile decodes and compiles o. After an error the entry has only the fields that are
// known without the route.
func (e *Entry) compile(o Object) error {
	decoded, err := Decode(o.Data)
	if err != nil {
		return err
	}
	if SecretName(decoded.Endpoint.Namespace, decoded.Endpoint.Name) != o.Name {
		return errForeign
	}
	if decoded.Unavailable != "" {
		// Nothing will be verified, and the provider may be missing.
		e.Route = decoded
		return nil
	}
	verifier, err := verify.Compile(decoded.Provider)
	if err != nil {
		return fmt.Errorf("provider %s: %w", decoded.Provider.Name, err)
	}
	matchers, err := compileRoutes(decoded.Routes)
	if err != nil {
		return err
	}
	e.Route, e.Verifier = decoded, verifier
	e.CredentialHeaders, e.CredentialQuery = verifier.CredentialHeaders(), verifier.CredentialQuery()
	e.matchers = matchers
	e.Methods = verifier.Methods()
	e.NeedsCertificate = slices.ContainsFunc(decoded.Provider.Schemes, func(s verify.Scheme) bool {
		return s.KeySource != nil && s.KeySource.Certificate != nil
	})
	return nil
}

func compileRoutes(routes []EventRoute) ([]*match.Matcher, error) {
	var matchers []*match.Matcher
	for i := range routes {
		matcher, err := match.Compile(routes[i].Match)
		if err != nil {
			return nil, fmt.Errorf("routes[%s].match.%w", routes[i].Name, err)
		}
		matchers = append(matchers, matcher)
	}
	return matchers, nil
}

// Choose names the routes that match an event, or "" for Route.Target if none does. No
// names mean that no route wants the event.
//
// The error names a route whose match could not be decided. With match.ErrCost there are
// no names. With match.ErrUnknown they are the routes that certainly match, and "" if
// there is a Route.Target, which gets the events of undecided routes.
func (e *Entry) Choose(event *match.Event) ([]string, error) {
	var (
		names  []string
		unsure error
	)
	for i, matcher := range e.matchers {
		name := e.Route.Routes[i].Name
		matches, err := matcher.Match(event)
		switch {
		case errors.Is(err, match.ErrUnknown):
			unsure = cmp.Or(unsure, fmt.Errorf("routes[%s]: %w", name, err))
		case err != nil:
			return nil, fmt.Errorf("routes[%s]: %w", name, err)
		case matches:
			names = append(names, name)
		}
	}
	if len(names) == 0 && e.Route.HasTarget() {
		return defaultTarget, unsure
	}
	if unsure != nil && e.Route.HasTarget() {
		names = append(names, defaultTarget...)
	}
	return names, unsure
}

// defaultTarget is the name of Route.Target in deliveries. All events share the
// list, which nobody writes to.
var defaultTarget = []string{""}

func (e *Entry) inherit(previous *Entry) {
	e.Handshakes = previous.Handshakes
	if e.Rate != nil && previous.Rate != nil && *e.Route.Limits.RateLimit == *previous.Route.Limits.RateLimit {
		e.Rate = previous.Rate
	}
	if e.use != nil && previous.use != nil && e.use.previousEnds == previous.use.previousEnds {
		e.use = previous.use
	}
}

// newMaterial gathers all keys but those that end, whose validity depends on the time.
func newMaterial(r *Route) verify.Material {
	m := verify.Material{Secrets: endless(r.Keys)}
	if len(r.Fetched) > 0 {
		m.Fetched = make(map[string][]byte, len(r.Fetched))
		for address, text := range r.Fetched {
			m.Fetched[address] = []byte(text)
		}
	}
	if len(r.Parameters) > 0 {
		m.Parameters = make(verify.Parameters, len(r.Parameters))
		for _, parameter := range r.Parameters {
			m.Parameters[parameter.Name] = append(m.Parameters[parameter.Name], parameter.Value)
		}
	}
	return m
}

// allValues are the values of keys, whether they end or not.
func allValues(keys []Key) []secret.Value {
	values := make([]secret.Value, len(keys))
	for i := range keys {
		values[i] = keys[i].Value
	}
	return values
}

// endless returns the values of keys if all of them are valid for ever; nil
// otherwise.
func endless(keys []Key) []secret.Value {
	values := make([]secret.Value, len(keys))
	for i, key := range keys {
		if key.NotAfter != nil {
			return nil
		}
		values[i] = key.Value
	}
	return values
}

func newRate(limit *RateLimit) *rate.Limiter {
	if limit == nil {
		return nil
	}
	return rate.NewLimiter(rate.Limit(limit.PerSecond), limit.Burst)
}

// digest is equal for objects that make equal entries. Each part has its length before
// it, so that no two different objects have the same bytes.
func (o Object) digest() [sha256.Size]byte {
	h := sha256.New()
	write := func(part []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	write([]byte(o.Path))
	for _, name := range slices.Sorted(maps.Keys(o.Data)) {
		write([]byte(name))
		write(o.Data[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
