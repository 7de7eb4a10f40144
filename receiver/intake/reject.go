package intake

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// reject is why a request is not accepted, and the only way to answer anything
// but a 2xx. All of them are made in this file, which chooses their statuses.
type reject struct {
	// status of the HTTP answer.
	status int
	// reason is for the sender: what is wrong and what to do.
	reason string
	// cause is for the operator; may be nil. It is never sent.
	cause error
	// retryAfter is for how long the sender should wait; 0: the answer doesn't say.
	retryAfter time.Duration
	// allow lists the methods that the endpoint answers, with a 405.
	allow string
	// refused marks a fault of the sender that the provider wants answered with a 5xx.
	refused bool
}

// Error implements error: the reason and the cause, for logs.
func (r *reject) Error() string {
	if r.cause == nil {
		return r.reason
	}
	return fmt.Sprintf("%s: %v", r.reason, r.cause)
}

// Unwrap returns the cause.
func (r *reject) Unwrap() error { return r.cause }

// outcome is Rejected for a fault of the sender, Unavailable for one of ours.
func (r *reject) outcome() audit.Status {
	if r.status >= 500 && !r.refused {
		return audit.Unavailable
	}
	return audit.Rejected
}

func (r *reject) setHeaders(h http.Header) {
	if r.retryAfter > 0 {
		seconds := int64((r.retryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if r.allow != "" {
		h.Set("Allow", r.allow)
	}
}

// asReject finds the reject in err. Any other error is a mistake of ours: 500,
// which senders retry.
func asReject(err error) *reject {
	if r, ok := errors.AsType[*reject](err); ok {
		return r
	}
	return &reject{status: http.StatusInternalServerError, reason: "internal error, please send again", cause: err}
}

// unavailable is for what is wrong on our side.
func unavailable(reason string, retryAfter time.Duration, cause error) *reject {
	return &reject{status: http.StatusServiceUnavailable, reason: reason, retryAfter: retryAfter, cause: cause}
}

// noMemory is for what would be taken if fewer requests were in flight.
func noMemory() *reject {
	return unavailable("too many requests are in flight, please send again", retryBusy, errNoMemory)
}

func noEndpoint() *reject {
	return &reject{status: http.StatusNotFound, reason: "no endpoint has this path; see the URL in the status of the WebhookEndpoint"}
}

func (x *exchange) wrongMethod() *reject {
	methods := strings.Join(x.entry.Methods, ", ")
	return &reject{status: http.StatusMethodNotAllowed, reason: "the provider's requests come by one of these methods: " + methods, allow: methods}
}

func (x *exchange) wrongSource() *reject {
	return &reject{
		status: cmp.Or(x.entry.Route.Responses.Forbidden, http.StatusForbidden), refused: true,
		reason: "requests from this address are not taken here",
		cause:  fmt.Errorf("%s is in none of the endpoint's sourceRanges", addrText(x.source)),
	}
}

// overloaded is for what exceeds a rate.
func (x *exchange) overloaded(retryAfter time.Duration) *reject {
	return &reject{
		status: cmp.Or(x.entry.Route.Responses.Overloaded, http.StatusTooManyRequests),
		reason: "too many requests, please send again later", retryAfter: retryAfter,
	}
}

// interval is the time until an empty bucket has a token.
func interval(bucket *rate.Limiter) time.Duration {
	return time.Duration(float64(time.Second) / float64(bucket.Limit()))
}

func tooManyHeaderLines() *reject {
	return &reject{status: http.StatusRequestHeaderFieldsTooLarge, reason: fmt.Sprintf("the request has more than %d header lines", maxHeaderLines)}
}

func (x *exchange) tooLarge() *reject {
	return &reject{
		status: cmp.Or(x.entry.Route.Responses.TooLarge, http.StatusRequestEntityTooLarge), refused: true,
		reason: fmt.Sprintf("the body is larger than the %d bytes that this endpoint takes", x.entry.Route.Limits.MaxBodyBytes),
	}
}

// rejectBody translates the errors of readBody.
func (x *exchange) rejectBody(err error) *reject {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return x.tooLarge()
	case errors.Is(err, errNoMemory):
		return noMemory()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &reject{status: http.StatusRequestTimeout, reason: "the body came too slowly, please send again", cause: err}
	default:
		return &reject{status: http.StatusBadRequest, reason: "the body could not be read to its end", cause: err}
	}
}

// noSuchHandshake is for a request that is neither a handshake nor an event.
func (x *exchange) noSuchHandshake() *reject {
	return &reject{status: http.StatusBadRequest, reason: fmt.Sprintf("the provider has no such %[1]s handshake, and sends no events by %[1]s", x.r.Method)}
}

// rejectVerify translates the errors of package verify. A malformed request gets
// 400, one that is not authentic 401, one that is authentic but no event 400, or
// the status that the provider wants instead. What the endpoint lacks is not the
// sender's fault: 503.
func (x *exchange) rejectVerify(err error) *reject {
	r, ok := errors.AsType[*verify.Rejection](err)
	switch {
	case !ok:
		return asReject(err)
	case x.crowded:
		return noMemory()
	}
	wanted := x.entry.Route.Responses
	switch r.Reason {
	case verify.HandshakeRefused:
		return &reject{status: http.StatusForbidden, reason: r.Detail}
	case verify.NoUsableKey, verify.NoPublicURL, verify.NoCertificate:
		return unavailable("the endpoint can't verify requests now, please send again later", retryRoute, err)
	}
	if x.verified {
		return &reject{status: cmp.Or(wanted.Invalid, http.StatusBadRequest), reason: r.Detail}
	}
	switch r.Reason {
	case verify.WrongSignature, verify.TimestampOutsideTolerance, verify.ClaimMismatch, verify.UntrustedCertificate:
		return &reject{status: cmp.Or(wanted.Unauthenticated, http.StatusUnauthorized), reason: r.Detail}
	case verify.MissingSignature, verify.MalformedSignature, verify.DuplicateHeader, verify.MissingTimestamp, verify.MalformedTimestamp:
		return &reject{status: cmp.Or(wanted.Malformed, http.StatusBadRequest), reason: r.Detail}
	default:
		return &reject{status: http.StatusBadRequest, reason: r.Detail}
	}
}

// rejectStore translates the errors of the store. The sender has no 2xx yet, so it
// has to send again, whatever went wrong.
func rejectStore(err error) *reject {
	switch {
	case errors.Is(err, store.ErrInFlight):
		return unavailable("a copy of this event is with the target, please send again", retryBusy, err)
	case errors.Is(err, store.ErrBusy):
		return unavailable("a copy of this event is being stored, please send again", retryBusy, err)
	case errors.Is(err, store.ErrUnconfirmed):
		return unavailable("the event is not stored safely enough yet, please send again", retryStore, err)
	case errors.Is(err, store.ErrQueueFull):
		return unavailable("the endpoint has too many events that are not delivered yet, please send again later", retryQueue, err)
	case errors.Is(err, store.ErrFull):
		return unavailable("the event could not be stored for lack of room, please send again later", retryStore, err)
	default:
		return unavailable("the event could not be stored, please send again later", retryStore, err)
	}
}

// rejectCall translates the errors of Deliverer.Call: 503 for what is wrong on our
// side. For the target we are a gateway.
func rejectCall(err error) *reject {
	switch {
	case errors.Is(err, deliver.ErrCrowded):
		return unavailable("the target is busy, please send again", retryBusy, err)
	case errors.Is(err, deliver.ErrNotNow):
		return unavailable("the endpoint can't serve now, please send again later", retryRoute, err)
	case errors.Is(err, deliver.ErrTimeout):
		return &reject{status: http.StatusGatewayTimeout, reason: "the target did not answer in time, please send again"}
	default:
		return &reject{status: http.StatusBadGateway, reason: "the target did not take the event, please send again", cause: err}
	}
}
