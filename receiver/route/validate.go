package route

import (
	"bytes"
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

// MaxFetched bounds each value of Route.Fetched, in bytes. The largest JWK Sets
// in use, those with certificates in them, stay below a third of it.
const MaxFetched = 64 << 10

// Validate reports every reason for which r can't be served, joined; nil if
// there is none. It doesn't compile the provider: Table does, once.
func (r Route) Validate() error {
	return errors.Join(
		r.validateOrigin(),
		r.validateKeys(),
		r.validateEntries(),
		r.validateFetched(),
		r.Responses.validate(),
		r.Target.validate(r.Endpoint.Namespace),
		r.Delivery.validate(),
		positive("deduplication.window", r.Deduplication.Window),
		r.Limits.validate(),
	)
}

// validateOrigin holds the rule that paths can't be squatted: a route answers
// below its own namespace only.
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

// validateKeys holds the rule that nothing is verified by an empty secret.
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
	for i, parameter := range r.Parameters {
		if parameter.Name == "" {
			errs = append(errs, fmt.Errorf("parameters[%d].name is empty", i))
		}
		if blank(parameter.Value) {
			errs = append(errs, fmt.Errorf("parameters[%d] is empty or blank: anybody could fulfil it", i))
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

// validate holds the rule that what is not authentic never looks accepted,
// whatever a provider asks for.
func (r Responses) validate() error {
	var errs []error
	for _, refusal := range []struct {
		field  string
		status int
	}{{"unauthenticated", r.Unauthenticated}, {"malformed", r.Malformed}} {
		if refusal.status != 0 && (refusal.status < 400 || refusal.status > 499 || refusal.status == http.StatusGone) {
			errs = append(errs, fmt.Errorf("responses.%s is %d: it must be from 400 to 499 and not 410", refusal.field, refusal.status))
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

func (t Target) validate(namespace string) error {
	var errs []error
	if t.Namespace != namespace {
		errs = append(errs, fmt.Errorf("target.namespace is %q: a target is a Service of the endpoint's own namespace %q", t.Namespace, namespace))
	}
	if t.Service == "" {
		errs = append(errs, errors.New("target.service is empty"))
	}
	if t.Scheme != "http" {
		errs = append(errs, fmt.Errorf("target.scheme is %q: only http is known", t.Scheme))
	}
	if !strings.HasPrefix(t.Path, "/") {
		errs = append(errs, fmt.Errorf("target.path is %q: it must start with '/'", t.Path))
	}
	if t.Port < 0 || t.Port > 65535 || (t.Port == 0 && t.Unresolved == "") {
		errs = append(errs, fmt.Errorf("target.port is %d: it must be from 1 to 65535, or 0 while target.unresolved says why", t.Port))
	}
	return errors.Join(errs...)
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
	return errors.Join(append(errs,
		positive("delivery.timeout", d.Timeout),
		positive("delivery.retry.minBackoff", d.Retry.MinBackoff),
		positive("delivery.retry.maxBackoff", d.Retry.MaxBackoff),
		positive("delivery.retry.maxAge", d.Retry.MaxAge),
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
	if l.RateLimit != nil && (l.RateLimit.PerSecond < 1 || l.RateLimit.Burst < 1) {
		errs = append(errs, fmt.Errorf("limits.rateLimit is %d per second with a burst of %d: both must be at least 1", l.RateLimit.PerSecond, l.RateLimit.Burst))
	}
	return errors.Join(errs...)
}

func positive(field string, d Duration) error {
	if d <= 0 {
		return fmt.Errorf("%s is %v: it must be longer than nothing", field, time.Duration(d))
	}
	return nil
}
