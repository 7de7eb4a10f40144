package receiver

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"sallyport.dev/sallyport/receiver/route"
)

// admit refuses what needs no look at the body. The source comes before the
// rate, so that strangers don't use up what is meant for the sender.
func (h *Handler) admit(x *exchange) error {
	limits := x.entry.Route.Limits
	switch {
	case x.r.Method != http.MethodPost:
		return &reject{status: http.StatusMethodNotAllowed, reason: "webhooks are sent by POST", allow: http.MethodPost}
	case !admits(limits.SourceRanges, x.source):
		return &reject{status: http.StatusForbidden, reason: "requests from this address are not taken here",
			cause: fmt.Errorf("%s is in none of the endpoint's sourceRanges", addrText(x.source))}
	case x.entry.Rate != nil && !x.entry.Rate.AllowN(x.received, 1):
		return &reject{status: http.StatusTooManyRequests, reason: "too many requests, please send again later", retryAfter: nextToken(x.entry.Rate)}
	case x.r.ContentLength > limits.MaxBodyBytes:
		return tooLarge(limits)
	}
	return nil
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

// nextToken is how long the bucket takes to gain a token.
func nextToken(bucket *rate.Limiter) time.Duration {
	return time.Duration(float64(time.Second) / float64(bucket.Limit()))
}

func tooLarge(limits route.Limits) *reject {
	return &reject{status: http.StatusRequestEntityTooLarge,
		reason: fmt.Sprintf("the body is larger than the %d bytes that this endpoint takes", limits.MaxBodyBytes)}
}
