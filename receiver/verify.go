package receiver

import (
	"errors"

	"sallyport.dev/sallyport/receiver/verify"
)

// certify fetches the certificate that the request names, if the endpoint's
// provider signs by one. It is the only thing that is done for a request before
// it is verified that others can see, so it comes after the source, the rate and
// the size, and leads to hosts and paths of the provider only.
func (h *Handler) certify(x *exchange) error {
	if !x.entry.NeedsCertificate {
		return nil
	}
	named, err := x.entry.Verifier.Certificate(&x.signed, x.material.Parameters)
	if err != nil {
		return h.unverified(x, err)
	}
	if named.URL == "" {
		return nil
	}
	chain, err := h.certificates.Get(x.r.Context(), x.entry.Name, named)
	if err != nil {
		h.metrics.signatureFailed(x, verify.NoCertificate)
		return unavailable("the certificate that the request names could not be fetched, please send again later", retryFetch, err)
	}
	material := *x.material
	material.Certificate, material.Roots = chain, h.roots
	x.material = &material
	return nil
}

// verify asks whether the request is authentic, by the keys that are valid when
// it came in.
func (h *Handler) verify(x *exchange) error {
	verdict, err := x.entry.Verifier.Verify(&x.signed, x.material, x.meta.ReceivedAt)
	if err != nil {
		return h.unverified(x, err)
	}
	x.verdict, x.verified = verdict, true
	x.entry.Used(verdict, x.meta.ReceivedAt)
	return nil
}

// unverified counts a rejection and translates it. One whose signature is right is
// verified all the same.
func (h *Handler) unverified(x *exchange, err error) error {
	if r, ok := errors.AsType[*verify.Rejection](err); ok {
		x.verified = x.verified || r.Authentic
		if !r.Authentic {
			h.metrics.signatureFailed(x, r.Reason)
		}
	}
	return x.rejectVerify(err)
}

// identify finds out which event it is. The body is parsed here for the first
// time: before, anybody could have written it.
func (h *Handler) identify(x *exchange) error {
	event, err := x.entry.Verifier.Identify(&x.signed, x.verdict)
	if err != nil {
		return x.rejectVerify(err)
	}
	x.event, x.meta.ID, x.meta.Type = event, event.ID, event.Type
	return nil
}

// publicURL is the URL that the sender was given, with the query that it added.
// It comes from the configuration: what the request says of its own URL has
// gone through proxies and can be made up. A "?" without a query counts, too.
func (x *exchange) publicURL() string {
	public := x.entry.Route.PublicURL
	if public == "" || x.r.URL.RawQuery == "" && !x.r.URL.ForceQuery {
		return public
	}
	return public + "?" + x.r.URL.RawQuery
}
