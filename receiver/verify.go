package receiver

import (
	"errors"

	"sallyport.dev/sallyport/receiver/verify"
)

// verify asks whether the request is authentic, by the keys that are valid when
// it came in.
func (h *Handler) verify(x *exchange) error {
	x.signed = verify.Request{Method: x.r.Method, URL: x.publicURL(), Header: x.r.Header, RawQuery: x.r.URL.RawQuery, Body: x.body}
	verdict, err := x.entry.Verifier.Verify(&x.signed, &verify.Material{Secrets: x.entry.LiveKeys(x.received)}, x.received)
	if err != nil {
		if r, ok := errors.AsType[*verify.Rejection](err); ok {
			h.metrics.signatureFailed(x, r.Reason)
		}
		return rejectVerify(err)
	}
	x.verdict, x.verified = verdict, true
	return nil
}

// identify finds out which event it is. The body is parsed here for the first
// time: before, anybody could have written it.
func (h *Handler) identify(x *exchange) error {
	event, err := x.entry.Verifier.Identify(&x.signed, x.verdict)
	if err != nil {
		return rejectVerify(err)
	}
	x.event = event
	return nil
}

// publicURL is the URL that the sender was given, with the query that it added.
// It comes from the configuration: what the request says of its own URL has
// gone through proxies and can be made up.
func (x *exchange) publicURL() string {
	public := x.entry.Route.PublicURL
	if public == "" || x.r.URL.RawQuery == "" {
		return public
	}
	return public + "?" + x.r.URL.RawQuery
}
