package receiver

import (
	"net/http"

	"sallyport.dev/sallyport/receiver/verify"
)

// greetUnsigned answers handshakes that the provider does not sign. What is none
// and comes by a method by which the provider sends nothing else is refused.
func (h *Handler) greetUnsigned(x *exchange) error {
	x.material = x.entry.Material(x.meta.ReceivedAt)
	if err := h.greet(x, nil); err != nil || x.greeting != nil {
		return err
	}
	if !x.entry.Verifier.Delivers(x.r.Method) {
		return &reject{status: http.StatusBadRequest, reason: "this is none of the handshakes that the provider makes by this method, and it sends no events by it"}
	}
	return nil
}

// greetSigned answers handshakes that the provider signs, which are verified by now.
func (h *Handler) greetSigned(x *exchange) error { return h.greet(x, &x.verdict) }

// greet asks whether the request is a handshake, and does what is to be done
// before it is answered. The rate of those that anybody can ask for is limited,
// whether they are refused or not: an answer may be signed, and a refusal tells
// whether a verify token was guessed.
func (h *Handler) greet(x *exchange, verdict *verify.Verdict) error {
	answer, err := x.entry.Verifier.Handshake(&x.signed, x.material, verdict)
	if err == nil && answer == nil {
		return nil
	}
	if verdict == nil && !x.entry.Handshakes.AllowN(x.meta.ReceivedAt, 1) {
		return x.overloaded(x.entry.Handshakes)
	}
	if err != nil {
		return h.unverified(x, err)
	}
	if err := h.confirm(x, answer.Confirm); err != nil {
		return err
	}
	x.greeting = answer
	x.meta.Type = answer.Handshake // for the audit; there is no event
	return nil
}

// confirm requests the URL by which the sender learns that its handshake arrived
// here. Only after that may it be answered with success.
func (h *Handler) confirm(x *exchange, address string) error {
	if address == "" {
		return nil
	}
	if _, err := h.senders.Get(x.r.Context(), address); err != nil {
		return unavailable("the handshake could not be confirmed, please send it again later", retryFetch, err)
	}
	return nil
}
