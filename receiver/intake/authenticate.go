package intake

import (
	"errors"

	"sallyport.dev/sallyport/receiver/verify"
)

// certify fetches the certificate that the request names, if the endpoint's
// provider signs by one. It is the only step that others can see before the request
// is verified. So it comes after the checks of source, rate and size, and it requests
// only hosts and paths of the provider.
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
		h.Metrics.signatureFailed(x, verify.NoCertificate)
		return unavailable("the certificate that the request names could not be fetched, please send again later", retryFetch, err)
	}
	material := *x.material
	material.Certificate, material.Roots = chain, h.Roots
	x.material = &material
	return nil
}

// verify checks that the request is authentic, by the keys that are valid when
// it came in.
func (h *Handler) verify(x *exchange) error {
	verdict, err := x.entry.Verifier.Verify(&x.signed, x.material, x.meta.ReceivedAt)
	if err != nil {
		return h.unverified(x, err)
	}
	x.verdict, x.verified = verdict, true
	x.entry.Used(verdict, x.meta.ReceivedAt)
	h.strangers.know(x)
	return h.admitAuthentic(x)
}

// admitAuthentic applies the limits that strangers can't exhaust.
func (h *Handler) admitAuthentic(x *exchange) error {
	if x.entry.Rate != nil && !x.entry.Rate.AllowN(x.meta.ReceivedAt, 1) {
		return x.overloaded(interval(x.entry.Rate))
	}
	if !x.memory.verified() {
		return noMemory()
	}
	return nil
}

// unverified counts a rejection and translates it. A request that is refused for
// another reason than its signature counts as verified.
func (h *Handler) unverified(x *exchange, err error) error {
	if r, ok := errors.AsType[*verify.Rejection](err); ok {
		x.verified = x.verified || r.Authentic
		if !r.Authentic {
			h.Metrics.signatureFailed(x, r.Reason)
		}
	}
	return x.rejectVerify(err)
}

// identify finds the event's id and type. The body is parsed here for the first
// time: before the verification, anybody could have written it.
func (h *Handler) identify(x *exchange) error {
	event, err := x.entry.Verifier.Identify(&x.signed, x.verdict)
	if err != nil {
		return x.rejectVerify(err)
	}
	x.event, x.meta.ID, x.meta.Type = event, event.ID, event.Type
	return nil
}
