package receiver

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// reject is why a request is not accepted, and the only way to answer anything
// but a 2xx.
type reject struct {
	// status of the HTTP answer.
	status int
	// reason is for the sender: what is wrong and what to do.
	reason string
	// cause is for the operator; may be nil. It is never sent.
	cause error
	// retryAfter is what the sender is told to wait; 0: nothing is said.
	retryAfter time.Duration
	// allow lists the methods that would do, with a 405.
	allow string
	// refused: it is the sender's fault, even if the provider wants a 5xx for it.
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

// outcome tells the sender's faults from ours.
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

// asReject finds the reject in err. An error that no step has made a reject of
// is a mistake of ours: 500, which senders retry.
func asReject(err error) *reject {
	if r, ok := errors.AsType[*reject](err); ok {
		return r
	}
	return &reject{status: http.StatusInternalServerError, reason: "internal error, please send again", cause: err}
}

func unavailable(reason string, retryAfter time.Duration, cause error) *reject {
	return &reject{status: http.StatusServiceUnavailable, reason: reason, retryAfter: retryAfter, cause: cause}
}

// noMemory is for what would be taken if fewer requests were in flight.
func noMemory() *reject {
	return unavailable("too many requests are in flight, please send again", retryBusy, errNoMemory)
}

// rejectVerify translates what the verification says: a request that is not
// well-formed is 400, one that is not authentic 401, one that is authentic and
// no event 400, or what the provider wants to see instead. What the endpoint lacks
// is not the sender's fault: 503.
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

// rejectStore translates the errors of the store. Whatever they are, the event
// was not promised to anybody, so the sender has to send again.
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
