package compile

import (
	"net/http"
	"slices"
	"strings"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// webhookHeaders begin the headers that Standard Webhooks signs with, and that a
// target with a signingSecretRef gets.
const webhookHeaders = "Webhook-"

// resolveProofs decides what a target gets of the sender's own proofs: a fresh signature,
// and its credentials. A fresh signature may be impossible; then events wait, because
// the target would refuse the old one.
func resolveProofs(in Input, spec v1alpha1.Target, target *route.Target) Problems {
	target.FreshSignature = spec.Signature == v1alpha1.TargetSignatureFresh
	target.ForwardCredentials = spec.Credentials == v1alpha1.TargetCredentialsForward
	if !target.FreshSignature || in.Sender == nil || in.Sender.Verifier == nil {
		return nil // another problem says what is wrong with the sender
	}
	name := in.Endpoint.Spec.Provider
	if err := in.Sender.Verifier.Resigns(target.ForwardCredentials); err != nil {
		return problem(v1alpha1.ReasonFreshSignatureImpossible,
			"target.signature Fresh needs a scheme with a shared secret, which the provider %q has not: %v. Events are accepted and kept.", name, err)
	}
	if spec.SigningSecretRef != nil && signsWith(&in.Sender.Provider, webhookHeaders) {
		return problem(v1alpha1.ReasonFreshSignatureImpossible,
			"The target has signature Fresh and a signingSecretRef, and both sign with the headers %s*: the provider %q signs by Standard Webhooks itself. "+
				"Drop one of the two. Events are accepted and kept.", strings.ToLower(webhookHeaders), name)
	}
	return nil
}

// signsWith reports whether a sender signs with a header that has a prefix.
func signsWith(p *verify.Provider, prefix string) bool {
	for _, s := range p.Schemes {
		places := append(slices.Clone(s.Signature.From), valueOf(s.ID))
		if s.Timestamp != nil {
			places = append(places, valueOf(s.Timestamp.From))
		}
		for _, at := range places {
			if strings.HasPrefix(http.CanonicalHeaderKey(at.Header), prefix) {
				return true
			}
		}
	}
	return false
}

// valueOf is the location, or the zero one instead of nil.
func valueOf(at *verify.Location) verify.Location {
	if at == nil {
		return verify.Location{}
	}
	return *at
}
