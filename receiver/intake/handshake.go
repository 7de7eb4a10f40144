package intake

import (
	"sallyport.dev/sallyport/receiver/verify"
)

// unsignedHandshake answers handshakes that the provider does not sign. A request
// by a method that brings no events is refused if it is no handshake.
func (h *Handler) unsignedHandshake(x *exchange) error {
	x.material = x.entry.Material(x.meta.ReceivedAt)
	if err := h.answerHandshake(x, nil); err != nil || x.handshake != nil {
		return err
	}
	if !x.entry.Verifier.Delivers(x.r.Method) {
		return x.noSuchHandshake()
	}
	return nil
}

// signedHandshake answers handshakes that the provider signs. They are verified by now.
func (h *Handler) signedHandshake(x *exchange) error { return h.answerHandshake(x, &x.verdict) }

// answerHandshake sets the answer if the request is a handshake. The rate of
// unsigned ones is limited whether they are refused or not, because anybody can send
// them: an answer may hold a signature, and a refusal says that a verify token was
// guessed wrong.
func (h *Handler) answerHandshake(x *exchange, verdict *verify.Verdict) error {
	answer, err := x.entry.Verifier.Handshake(&x.signed, x.material, verdict)
	if err == nil && answer == nil {
		return nil
	}
	if verdict == nil && !x.entry.Handshakes.AllowN(x.meta.ReceivedAt, 1) {
		return x.overloaded(interval(x.entry.Handshakes))
	}
	if err != nil {
		return h.unverified(x, err)
	}
	if err := h.confirm(x, answer.Confirm); err != nil {
		return err
	}
	x.handshake = answer
	x.meta.Type = answer.Handshake // for the audit; there is no event
	return nil
}

// confirm requests the URL by which the sender learns that its handshake arrived
// here. Only after that may the handshake be answered with success.
func (h *Handler) confirm(x *exchange, address string) error {
	if address == "" {
		return nil
	}
	if _, err := h.confirmations.Get(x.r.Context(), address); err != nil {
		return unavailable("the handshake could not be confirmed, please send it again later", retryFetch, err)
	}
	return nil
}
