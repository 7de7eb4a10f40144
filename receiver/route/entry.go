package route

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// errForeign says that a Secret's name and its route disagree.
var errForeign = errors.New("the route belongs to another endpoint than the Secret's name says")

// Entry is a route made ready: what can be computed before a request is
// computed once, when the route changes. All fields are read-only.
type Entry struct {
	// Route is what the entry was made of. If Invalid is set, only its Endpoint's
	// namespace and name, and its Path, are meaningful.
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

	// Rate is the token bucket of the endpoint; nil if it has no rate limit. A
	// change of the route that leaves the limit alone keeps the bucket.
	Rate *rate.Limiter
	// BytesInFlight counts the bytes of bodies in memory. It is one counter as
	// long as the endpoint has a route, whatever changes.
	BytesInFlight *atomic.Int64

	// digest tells equal objects; see Object.digest.
	digest [sha256.Size]byte
	// keys are all values of Route.Keys, if none of them ever ends.
	keys []secret.Value
}

// Unavailable says why the endpoint can't serve now; empty if it can.
func (e *Entry) Unavailable() string {
	if e.Invalid != nil {
		return e.Invalid.Error()
	}
	return e.Route.Unavailable
}

// LiveKeys returns the keys that are valid at now, newest first. The result
// must not be changed.
func (e *Entry) LiveKeys(now time.Time) []secret.Value {
	if e.keys != nil {
		return e.keys
	}
	live := make([]secret.Value, 0, len(e.Route.Keys))
	for _, key := range e.Route.Keys {
		if key.NotAfter == nil || now.Before(*key.NotAfter) {
			live = append(live, key.Value)
		}
	}
	return live
}

// newEntry makes an entry of o. previous is the entry that the object had
// before, or nil: what counts and measures is taken over from it. ok is false
// if o can't be assigned to any endpoint.
func newEntry(o Object, previous *Entry) (entry *Entry, ok bool) {
	known, ok := o.fallback()
	if !ok {
		return nil, false
	}
	entry = &Entry{Route: known, Name: known.Endpoint.String(), BytesInFlight: new(atomic.Int64), digest: o.digest()}
	entry.Invalid = entry.compile(o)
	entry.keys = endless(entry.Route.Keys)
	entry.Rate = newRate(entry.Route.Limits.RateLimit)
	if previous != nil {
		entry.inherit(previous)
	}
	return entry, true
}

// compile decodes and compiles o. On any error the entry keeps only what is
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
		// Nothing will be verified, and the provider may be what is missing.
		e.Route = decoded
		return nil
	}
	verifier, err := verify.Compile(decoded.Provider)
	if err != nil {
		return fmt.Errorf("provider %s: %w", decoded.Provider.Name, err)
	}
	e.Route, e.Verifier, e.CredentialHeaders = decoded, verifier, verifier.CredentialHeaders()
	return nil
}

func (e *Entry) inherit(previous *Entry) {
	e.BytesInFlight = previous.BytesInFlight
	if e.Rate != nil && previous.Rate != nil && *e.Route.Limits.RateLimit == *previous.Route.Limits.RateLimit {
		e.Rate = previous.Rate
	}
}

// endless returns the values of keys if all of them are valid for ever, which
// is the case but for the hours after a rotation; nil otherwise.
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

// digest is equal for objects that make equal entries. Each part is written
// with its length before it, so that no two objects run into one.
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
