package intake

import (
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// maxHeaderLines bounds the header lines of a request. No sender writes half as
// many, and most targets refuse more: such an event would get its 2xx and then
// could never be delivered.
const maxHeaderLines = 256

// admit refuses requests without a look at their bodies.
func (h *Handler) admit(x *exchange) error {
	limits := x.entry.Route.Limits
	switch {
	case !slices.Contains(x.entry.Methods, x.r.Method):
		return x.wrongMethod()
	case !admits(limits.SourceRanges, x.source):
		return x.wrongSource()
	case !h.strangers.admit(x):
		return x.overloaded(time.Second)
	case headerLines(x.r.Header) > maxHeaderLines:
		return tooManyHeaderLines()
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

// admits reports whether source may send. An unknown address is in no range.
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
