package route

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"sallyport.dev/sallyport/receiver/secret"
)

// MaxBodyBytes bounds Limits.MaxBodyBytes: an event is held in memory as a
// whole, and so are several at a time.
const MaxBodyBytes = 64 << 20

// MaxSyncTimeout bounds Delivery.Timeout where the sender waits for the target.
const MaxSyncTimeout = 30 * time.Second

// MaxAckTime bounds Route.AckTime, because an event is in memory while its sender waits.
const MaxAckTime = 60 * time.Second

// MaxFetched bounds each value of Route.Fetched, in bytes. The largest JWK Sets
// in use, those with certificates in them, stay below a third of it.
const MaxFetched = 64 << 10

// MaxCA bounds Target.CA, in bytes: some ten certificates. All targets of a route
// have to fit into one Secret.
const MaxCA = 16 << 10

// MaxRoutes bounds Route.Routes: each is tried with every event, and each that
// matches is one more delivery.
const MaxRoutes = 16

// Validate reports every reason for which r can't be served, joined; nil if
// there is none. It compiles neither the provider nor what routes match: Table
// does, once.
func (r Route) Validate() error {
	return errors.Join(
		r.validateOrigin(),
		r.validateKeys(),
		r.validateEntries(),
		r.validateFetched(),
		r.Responses.validate(),
		r.validateAckTime(),
		r.validateTargets(),
		r.Delivery.validate(),
		positive("deduplication.window", r.Deduplication.Window),
		r.Limits.validate(),
	)
}

// validateOrigin lets a route answer below its own namespace only, so that nobody can
// take the paths of others.
func (r Route) validateOrigin() error {
	var errs []error
	if r.Version != Version {
		errs = append(errs, &UnknownVersionError{Version: r.Version})
	}
	if r.Endpoint.Namespace == "" || r.Endpoint.Name == "" || strings.ContainsAny(r.Endpoint.Namespace, "./") {
		errs = append(errs, fmt.Errorf("endpoint is %q: it must name a namespace and an endpoint", r.Endpoint))
	}
	prefix := "/" + r.Endpoint.Namespace + "/"
	if len(r.Path) <= len(prefix) || !strings.HasPrefix(r.Path, prefix) {
		errs = append(errs, fmt.Errorf("path is %q: it must start with %q and go on", r.Path, prefix))
	}
	if r.PublicURL != "" {
		if u, err := url.Parse(r.PublicURL); err != nil || u.Scheme == "" || u.Host == "" {
			errs = append(errs, fmt.Errorf("publicURL is %q: it must be a whole URL with scheme and host", r.PublicURL))
		}
	}
	return errors.Join(errs...)
}

// validateKeys lets no request be verified by an empty secret.
func (r Route) validateKeys() error {
	var errs []error
	if len(r.Keys) == 0 && r.Unavailable == "" && (len(r.Provider.Schemes) == 0 || r.Provider.NeedsSecret()) {
		errs = append(errs, errors.New("keys is empty: nothing could be verified; a route without a key must say in unavailable why it has none"))
	}
	for i, key := range r.Keys {
		if blank(key.Value) {
			errs = append(errs, fmt.Errorf("keys[%d] is empty or blank: anybody could sign with it", i))
		}
	}
	for field, signing := range r.signings() {
		if blank(signing.Key) {
			errs = append(errs, fmt.Errorf("%s is empty or blank: anybody could sign with it", field))
		}
	}
	for i, parameter := range r.Parameters {
		if parameter.Name == "" {
			errs = append(errs, fmt.Errorf("parameters[%d].name is empty", i))
		}
		if blank(parameter.Value) {
			errs = append(errs, fmt.Errorf("parameters[%d] is empty or blank: anybody could meet it", i))
		}
	}
	return errors.Join(errs...)
}

func blank(value secret.Value) bool { return len(bytes.TrimSpace(value.Reveal())) == 0 }

// validateEntries holds the rule that each value has an entry of its own in the
// route's Secret.
func (r Route) validateEntries() error {
	var errs []error
	taken := map[string]bool{document: true}
	check := func(field, entry, example string) {
		switch {
		case entry == "" || entry == document:
			errs = append(errs, fmt.Errorf("%s is %q: it must name an entry of its own, for example %q", field, entry, example))
		case taken[entry]:
			errs = append(errs, fmt.Errorf("%s is %q as well as that of an earlier key or parameter", field, entry))
		}
		taken[entry] = true
	}
	for i, key := range r.Keys {
		check(fmt.Sprintf("keys[%d].name", i), key.Name, KeyName(i))
	}
	for i, parameter := range r.Parameters {
		check(fmt.Sprintf("parameters[%d].entry", i), parameter.Entry, ParameterEntry(i))
	}
	for field, signing := range r.signings() {
		check(field+".entry", signing.Entry, SigningEntry(0))
	}
	return errors.Join(errs...)
}

func (r Route) validateFetched() error {
	var errs []error
	for _, address := range slices.Sorted(maps.Keys(r.Fetched)) {
		if size := len(r.Fetched[address]); size == 0 || size > MaxFetched {
			errs = append(errs, fmt.Errorf("fetched[%q] has %d bytes: it must have from 1 to %d", address, size, MaxFetched))
		}
	}
	return errors.Join(errs...)
}

// validate lets no request that is not authentic look accepted, whatever a provider
// wants.
func (r Responses) validate() error {
	var errs []error
	for _, refusal := range []struct {
		field        string
		status, most int
	}{
		{"unauthenticated", r.Unauthenticated, 499}, {"malformed", r.Malformed, 499}, {"invalid", r.Invalid, 499},
		{"forbidden", r.Forbidden, 599}, {"tooLarge", r.TooLarge, 599},
	} {
		if refusal.status != 0 && (refusal.status < 400 || refusal.status > refusal.most || refusal.status == http.StatusGone) {
			errs = append(errs, fmt.Errorf("responses.%s is %d: it must be from 400 to %d and not 410", refusal.field, refusal.status, refusal.most))
		}
	}
	if r.Overloaded != 0 && r.Overloaded != http.StatusTooManyRequests && r.Overloaded != http.StatusServiceUnavailable {
		errs = append(errs, fmt.Errorf("responses.overloaded is %d: it must be 429 or 503", r.Overloaded))
	}
	if r.Success != nil {
		errs = append(errs, r.Success.validate())
	}
	return errors.Join(errs...)
}

func (r Route) validateAckTime() error {
	if r.AckTime < 0 || time.Duration(r.AckTime) > MaxAckTime {
		return fmt.Errorf("ackTime is %v: it must be from 0 to %v", time.Duration(r.AckTime), MaxAckTime)
	}
	return nil
}

func (r Response) validate() error {
	var errs []error
	if r.Status < 200 || r.Status > 299 {
		errs = append(errs, fmt.Errorf("responses.success.status is %d: it must be from 200 to 299", r.Status))
	}
	if r.Body != "" && (r.Status == http.StatusNoContent || r.Status == http.StatusResetContent) {
		errs = append(errs, fmt.Errorf("responses.success.body is set: an answer with the status %d has none", r.Status))
	}
	if strings.ContainsFunc(r.ContentType, unicode.IsControl) {
		errs = append(errs, errors.New("responses.success.contentType holds control characters"))
	}
	return errors.Join(errs...)
}

// validateTargets lets no event be without a target, unless its endpoint has routes for
// some events only.
func (r Route) validateTargets() error {
	var errs []error
	switch {
	case r.Target != (Target{}):
		errs = append(errs, r.Target.validate("target", r.Endpoint.Namespace))
	case len(r.Routes) == 0:
		errs = append(errs, errors.New("target is missing and routes is empty: events would go nowhere"))
	}
	if r.Delivery.Sync && len(r.Routes) > 0 {
		errs = append(errs, errors.New("delivery.sync is set and there are routes: one target has to give the answer"))
	}
	if len(r.Routes) > MaxRoutes {
		errs = append(errs, fmt.Errorf("routes has %d elements: there may be at most %d", len(r.Routes), MaxRoutes))
	}
	taken := map[string]bool{}
	for i := range r.Routes {
		route := &r.Routes[i]
		switch field := fmt.Sprintf("routes[%d].name", i); {
		case route.Name == "":
			errs = append(errs, fmt.Errorf("%s is empty: that is the name of the target without a route", field))
		case taken[route.Name]:
			errs = append(errs, fmt.Errorf("%s is %q as well as that of an earlier route", field, route.Name))
		}
		taken[route.Name] = true
		errs = append(errs, route.Target.validate(fmt.Sprintf("routes[%d].target", i), r.Endpoint.Namespace))
	}
	return errors.Join(errs...)
}

func (t Target) validate(field, namespace string) error {
	var errs []error
	if t.Namespace != namespace {
		errs = append(errs, fmt.Errorf("%s.namespace is %q: a target is a Service of the endpoint's own namespace %q", field, t.Namespace, namespace))
	}
	if t.Service == "" {
		errs = append(errs, fmt.Errorf("%s.service is empty", field))
	}
	if t.Scheme != "http" && t.Scheme != "https" {
		errs = append(errs, fmt.Errorf("%s.scheme is %q: it must be http or https", field, t.Scheme))
	}
	if t.CA != "" {
		errs = append(errs, t.validateCA(field))
	}
	if !strings.HasPrefix(t.Path, "/") {
		errs = append(errs, fmt.Errorf("%s.path is %q: it must start with '/'", field, t.Path))
	}
	if t.Port < 0 || t.Port > 65535 || (t.Port == 0 && t.Unresolved == "") {
		errs = append(errs, fmt.Errorf("%s.port is %d: it must be from 1 to 65535, or 0 while %s.unresolved says why", field, t.Port, field))
	}
	return errors.Join(errs...)
}

// validateCA refuses authorities that can't be parsed: without them, those of the system
// would count.
func (t Target) validateCA(field string) error {
	switch {
	case t.Scheme != "https":
		return fmt.Errorf("%s.ca is set and the scheme is %q", field, t.Scheme)
	case len(t.CA) > MaxCA:
		return fmt.Errorf("%s.ca has %d bytes: there may be at most %d", field, len(t.CA), MaxCA)
	case !x509.NewCertPool().AppendCertsFromPEM([]byte(t.CA)):
		return fmt.Errorf("%s.ca holds no certificate in PEM", field)
	}
	return nil
}

func (d Delivery) validate() error {
	var errs []error
	if d.MaxInFlight < 1 {
		errs = append(errs, fmt.Errorf("delivery.maxInFlight is %d: nothing would ever be delivered", d.MaxInFlight))
	}
	if d.Retry.MaxAttempts < 1 {
		errs = append(errs, fmt.Errorf("delivery.retry.maxAttempts is %d: the first attempt counts, so it is at least 1", d.Retry.MaxAttempts))
	}
	if d.Retry.MinBackoff > d.Retry.MaxBackoff {
		errs = append(errs, fmt.Errorf("delivery.retry.minBackoff %v is longer than maxBackoff %v", time.Duration(d.Retry.MinBackoff), time.Duration(d.Retry.MaxBackoff)))
	}
	if d.Sync && time.Duration(d.Timeout) > MaxSyncTimeout {
		errs = append(errs, fmt.Errorf("delivery.timeout is %v: it must be at most %v where the sender waits for the target", time.Duration(d.Timeout), MaxSyncTimeout))
	}
	return errors.Join(append(errs,
		positive("delivery.timeout", d.Timeout),
		positive("delivery.retry.minBackoff", d.Retry.MinBackoff),
		positive("delivery.retry.maxBackoff", d.Retry.MaxBackoff),
		positive("delivery.retry.maxAge", d.Retry.MaxAge),
		d.RateLimit.validate("delivery.rateLimit"),
	)...)
}

func (l Limits) validate() error {
	var errs []error
	if l.MaxBodyBytes < 1 || l.MaxBodyBytes > MaxBodyBytes {
		errs = append(errs, fmt.Errorf("limits.maxBodyBytes is %d: it must be from 1 to %d", l.MaxBodyBytes, MaxBodyBytes))
	}
	for i, prefix := range l.SourceRanges {
		if !prefix.IsValid() {
			errs = append(errs, fmt.Errorf("limits.sourceRanges[%d] is not a network in CIDR notation", i))
		}
	}
	return errors.Join(append(errs, l.RateLimit.validate("limits.rateLimit"))...)
}

func (l *RateLimit) validate(field string) error {
	if l != nil && (l.PerSecond < 1 || l.Burst < 1) {
		return fmt.Errorf("%s is %d per second with a burst of %d: both must be at least 1", field, l.PerSecond, l.Burst)
	}
	return nil
}

func positive(field string, d Duration) error {
	if d <= 0 {
		return fmt.Errorf("%s is %v: it must be longer than nothing", field, time.Duration(d))
	}
	return nil
}
