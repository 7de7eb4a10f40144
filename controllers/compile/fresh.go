package compile

import (
	"fmt"
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

// handOver says in the words of the route what becomes of the sender's own proofs, or
// why it can't be had. Events wait then: a target that is to get fresh signatures
// would refuse others.
func (t *targets) handOver(in Input, spec v1alpha1.Target, target *route.Target) Problems {
	target.FreshSignature = spec.Signature == v1alpha1.TargetSignatureFresh
	target.ForwardCredentials = spec.Credentials == v1alpha1.TargetCredentialsForward
	if !target.FreshSignature || in.Sender == nil || in.Sender.Verifier == nil {
		return nil // what is wrong with the sender, another problem says
	}
	name := in.Endpoint.Spec.Provider
	if err := in.Sender.Verifier.Resigns(target.ForwardCredentials); err != nil {
		return Problems{{v1alpha1.ReasonFreshSignatureImpossible, fmt.Sprintf(
			"target.signature Fresh needs a scheme with a shared secret, which the provider %q has not: %v. Events are accepted and kept.", name, err)}}
	}
	if spec.SigningSecretRef != nil && signsWith(&in.Sender.Provider, webhookHeaders) {
		return Problems{{v1alpha1.ReasonFreshSignatureImpossible, fmt.Sprintf(
			"The target has signature Fresh and a signingSecretRef, and both sign with the headers %s*: the provider %q signs by Standard Webhooks itself. "+
				"Drop one of the two. Events are accepted and kept.", strings.ToLower(webhookHeaders), name)}}
	}
	return nil
}

// signsWith reports whether a sender signs with headers that begin so.
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

// valueOf is a location, or no place at all.
func valueOf(at *verify.Location) verify.Location {
	if at == nil {
		return verify.Location{}
	}
	return *at
}
