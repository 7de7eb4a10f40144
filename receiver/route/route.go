package route

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// Version is the version of the route format that this build writes. A
// receiver serves routes of the versions it knows and fails all others closed.
const Version = 1

// Route is one endpoint compiled for the receiver: everything that a request and its
// deliveries need. It and all it refers to are read-only once it is in a Table.
type Route struct {
	// Version is the format of this route, see the constant Version.
	Version int `json:"version"`
	// Endpoint names the endpoint that the route was compiled from.
	Endpoint Endpoint `json:"endpoint"`
	// Path is the URL path that the route answers, "/<namespace>/...". Exact match.
	Path string `json:"path"`
	// PublicURL is the URL that the sender was given, scheme and host included;
	// empty when the manager was not told its public URL.
	PublicURL string `json:"publicURL,omitempty"`
	// Unavailable says why the endpoint can't serve now (a missing secret, a
	// provider whose examples fail). Not empty: every request gets 503.
	Unavailable string `json:"unavailable,omitempty"`
	// Provider is the sender's signature scheme and identity, as data.
	Provider verify.Provider `json:"provider"`
	// Keys are the secrets that are valid now, newest first. The JSON leaves their values
	// out: the codec puts each into an entry of its own.
	Keys []Key `json:"keys,omitempty"`
	// Fetched are the public keys of the provider's key sources, by URL: a JWK Set or
	// a PEM public key.
	Fetched map[string]string `json:"fetched,omitempty"`
	// Parameters are the values that the endpoint gives to the provider's parameters.
	Parameters []Parameter `json:"parameters,omitempty"`
	// Responses are the answers that the provider wants.
	Responses Responses `json:"responses,omitzero"`
	// AckTime is for how long the sender waits for an answer; 0: nobody knows.
	AckTime Duration `json:"ackTime,omitempty"`
	// Target gets the events that no element of Routes matches; the zero value: such
	// events are acknowledged and not stored.
	Target Target `json:"target,omitzero"`
	// Routes send events to further targets. Each one that matches an event takes it.
	Routes []EventRoute `json:"routes,omitempty"`
	// Delivery bounds how events are handed to each target.
	Delivery Delivery `json:"delivery"`
	// Deduplication says how long and by what events are remembered.
	Deduplication Deduplication `json:"deduplication"`
	// Limits bound what a sender may do.
	Limits Limits `json:"limits"`
}

// Endpoint identifies a WebhookEndpoint.
type Endpoint struct {
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Generation int64  `json:"generation"`
	// Created decides between two routes that claim one path: the oldest wins,
	// then the smaller name.
	Created time.Time `json:"created"`
}

// String returns "namespace/name", the form used in headers, logs and metrics.
func (e Endpoint) String() string { return e.Namespace + "/" + e.Name }

// Key is one secret of an endpoint.
type Key struct {
	// Name is the entry of the route Secret that holds the value, e.g. "key-0".
	Name string `json:"name"`
	// NotAfter is when the key stops being valid; nil: never. It is set for a
	// previous value during rotation.
	NotAfter *time.Time `json:"notAfter,omitempty"`
	// ReplacedTime is when a new secret replaced the key; nil: it is the current one. The
	// manager counts NotAfter from it.
	ReplacedTime *time.Time `json:"replacedTime,omitempty"`
	// Value is the secret as the user stored it, less one trailing newline.
	Value secret.Value `json:"-"`
}

// Parameter is a value of a parameter of the provider. A parameter with several
// values occurs several times.
type Parameter struct {
	// Name of the parameter.
	Name string `json:"name"`
	// Entry of the route Secret that holds the value, e.g. "param-0". The JSON leaves
	// values out because some are secret.
	Entry string `json:"entry"`
	// Value of the parameter.
	Value secret.Value `json:"-"`
}

// Responses are the answers that a provider wants. A zero field is the usual answer.
type Responses struct {
	// Success is the answer to an event that is stored; nil: 200 and a JSON object.
	Success *Response `json:"success,omitempty"`
	// Unauthenticated is the status for a wrong signature; 0: 401.
	Unauthenticated int `json:"unauthenticated,omitempty"`
	// Malformed is the status for a missing or malformed signature; 0: 400.
	Malformed int `json:"malformed,omitempty"`
	// Overloaded is the status beyond the rate limit; 0: 429.
	Overloaded int `json:"overloaded,omitempty"`
	// Forbidden is the status for a source that is not allowed; 0: 403.
	Forbidden int `json:"forbidden,omitempty"`
	// TooLarge is the status for a body that is too large; 0: 413.
	TooLarge int `json:"tooLarge,omitempty"`
	// Invalid is the status for an authentic request that is no event; 0: 400.
	Invalid int `json:"invalid,omitempty"`
	// EmptyRefusals: answers that are no success have no body.
	EmptyRefusals bool `json:"emptyRefusals,omitempty"`
}

// Response is a fixed answer.
type Response struct {
	Status      int    `json:"status"`
	ContentType string `json:"contentType,omitempty"`
	Body        string `json:"body,omitempty"`
}

// EventRoute sends some of the events to a target.
type EventRoute struct {
	// Name of the route, unique in its endpoint. It names deliveries; the name of
	// deliveries to Route.Target is "".
	Name string `json:"name"`
	// Match says which events take the route.
	Match match.Rule `json:"match,omitzero"`
	// Target gets them.
	Target Target `json:"target"`
}

// TargetOf finds the target of a delivery by the name of its route, "" for
// Route.Target. ok is false if the endpoint has no such route (any more).
func (r *Route) TargetOf(name string) (target Target, ok bool) {
	if name == "" {
		return r.Target, r.HasTarget()
	}
	for i := range r.Routes {
		if r.Routes[i].Name == name {
			return r.Routes[i].Target, true
		}
	}
	return Target{}, false
}

// signings are those of all targets, with the names of their fields.
func (r *Route) signings() iter.Seq2[string, *Signing] {
	return func(yield func(string, *Signing) bool) {
		if r.Target.Signing != nil && !yield("target.signing", r.Target.Signing) {
			return
		}
		for i := range r.Routes {
			if s := r.Routes[i].Target.Signing; s != nil && !yield(fmt.Sprintf("routes[%d].target.signing", i), s) {
				return
			}
		}
	}
}

// ForwardsCredentials reports whether a target gets the secret that the sender sent. Then
// it has to be stored.
func (r *Route) ForwardsCredentials() bool {
	return r.Target.ForwardCredentials || slices.ContainsFunc(r.Routes, func(e EventRoute) bool { return e.Target.ForwardCredentials })
}

// HasTarget reports whether there is a target for events that no route matches.
func (r *Route) HasTarget() bool { return r.Target.Service != "" }

// Target is a Service port and path of the endpoint's own namespace.
type Target struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	// Port is the number of the Service's port; 0 while Unresolved is set for a
	// named port.
	Port   int32  `json:"port"`
	Scheme string `json:"scheme"` // http or https
	Path   string `json:"path"`
	// CA are the certificates, in PEM, of the authorities that an https target's
	// certificate may come from; empty: those of the system.
	CA string `json:"ca,omitempty"`
	// Unresolved says why the target can't be dialled yet (no such Service). Events are
	// accepted and held, which costs no attempt.
	Unresolved string `json:"unresolved,omitempty"`
	// Signing signs what the target gets; nil: it gets no signature of ours.
	Signing *Signing `json:"signing,omitempty"`
	// FreshSignature: each attempt is signed anew, by the provider's scheme, with the
	// newest of Route.Keys.
	FreshSignature bool `json:"freshSignature,omitempty"`
	// ForwardCredentials: the target gets the secret that the sender sent.
	ForwardCredentials bool `json:"forwardCredentials,omitempty"`
}

// Signing is how a target's events are signed, by Standard Webhooks.
type Signing struct {
	// Entry of the route Secret that holds the key, e.g. "signing-0".
	Entry string `json:"entry"`
	// Key of the HMAC.
	Key secret.Value `json:"-"`
}

// Delivery bounds the attempts of a delivery.
type Delivery struct {
	// Timeout bounds one attempt, from dialling to the last byte of the answer.
	Timeout Duration `json:"timeout"`
	// MaxInFlight bounds concurrent attempts per receiver and target.
	MaxInFlight int   `json:"maxInFlight"`
	Retry       Retry `json:"retry"`
	// RateLimit of attempts, per receiver and target; nil: none.
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
	// Sync: the target's answer is the sender's, and nothing is stored.
	Sync bool `json:"sync,omitempty"`
	// Paused: events are held, and their age does not count.
	Paused bool `json:"paused,omitempty"`
	// ResumedTime is the end of the last pause; zero: there was none. The age of an event
	// that was received before counts from then.
	ResumedTime time.Time `json:"resumedTime,omitzero"`
}

// Retry is exponential backoff with full jitter.
type Retry struct {
	// MaxAttempts counts the first attempt.
	MaxAttempts int      `json:"maxAttempts"`
	MinBackoff  Duration `json:"minBackoff"`
	MaxBackoff  Duration `json:"maxBackoff"`
	// MaxAge since the event was received; after it, a dead letter.
	MaxAge Duration `json:"maxAge"`
}

// Deduplication says how duplicates are recognised.
type Deduplication struct {
	// Window is how long an event id is remembered.
	Window Duration `json:"window"`
	// RememberContent: refuse signed content that was accepted before under
	// another event id (replay protection).
	RememberContent bool `json:"rememberContent,omitempty"`
}

// Limits bound what a sender may do.
type Limits struct {
	MaxBodyBytes int64 `json:"maxBodyBytes"`
	// SourceRanges lists who may send; empty: everybody.
	SourceRanges []netip.Prefix `json:"sourceRanges,omitempty"`
	// RateLimit applies per receiver; nil: none.
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
}

// RateLimit is a token bucket.
type RateLimit struct {
	PerSecond int `json:"perSecond"`
	Burst     int `json:"burst"`
}

// Duration is a time.Duration that is written as text ("10s") in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
