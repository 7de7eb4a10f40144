package receiver

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// maxHeaderLines is the most header lines of a request that is taken. No sender
// writes half as many, and targets commonly refuse what has more: such an event
// would get a 2xx and then be in nobody's reach.
const maxHeaderLines = 256

// admit refuses what needs no look at the body. The source comes before the
// rate, so that strangers don't use up what is meant for the sender.
func (h *Handler) admit(x *exchange) error {
	limits := x.entry.Route.Limits
	switch {
	case !slices.Contains(x.entry.Methods, x.r.Method):
		methods := strings.Join(x.entry.Methods, ", ")
		return &reject{status: http.StatusMethodNotAllowed, reason: "the provider's requests come by one of these methods: " + methods, allow: methods}
	case !admits(limits.SourceRanges, x.source):
		return &reject{status: cmp.Or(x.entry.Route.Responses.Forbidden, http.StatusForbidden), refused: true,
			reason: "requests from this address are not taken here",
			cause:  fmt.Errorf("%s is in none of the endpoint's sourceRanges", addrText(x.source))}
	case x.entry.Rate != nil && !x.entry.Rate.AllowN(x.meta.ReceivedAt, 1):
		return x.overloaded(x.entry.Rate)
	case headerLines(x.r.Header) > maxHeaderLines:
		return &reject{status: http.StatusRequestHeaderFieldsTooLarge, reason: fmt.Sprintf("the request has more than %d header lines", maxHeaderLines)}
	case x.r.ContentLength > limits.MaxBodyBytes:
		return x.tooLarge()
	}
	return nil
}

func headerLines(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// admits reports whether source may send. An address that could not be found
// out is in no range.
func admits(ranges []netip.Prefix, source netip.Addr) bool {
	if len(ranges) == 0 {
		return true
	}
	for _, prefix := range ranges {
		if prefix.Contains(source) {
			return true
		}
	}
	return false
}

// overloaded refuses what is too much for a bucket.
func (x *exchange) overloaded(bucket *rate.Limiter) *reject {
	status := cmp.Or(x.entry.Route.Responses.Overloaded, http.StatusTooManyRequests)
	return &reject{status: status, reason: "too many requests, please send again later", retryAfter: nextToken(bucket)}
}

// nextToken is how long the bucket takes to gain a token.
func nextToken(bucket *rate.Limiter) time.Duration {
	return time.Duration(float64(time.Second) / float64(bucket.Limit()))
}

func (x *exchange) tooLarge() *reject {
	return &reject{status: cmp.Or(x.entry.Route.Responses.TooLarge, http.StatusRequestEntityTooLarge), refused: true,
		reason: fmt.Sprintf("the body is larger than the %d bytes that this endpoint takes", x.entry.Route.Limits.MaxBodyBytes)}
}
