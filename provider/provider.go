package provider

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// defaultWindow is that of a sender that says nothing of its retries.
const defaultWindow = 72 * time.Hour

// Sender is a WebhookProvider, compiled and tried on its own examples. It is
// immutable and safe for concurrent use.
type Sender struct {
	// Provider is what goes into routes.
	Provider verify.Provider
	// Window is for how long the sender repeats events; 0: it doesn't say.
	Window time.Duration
	// MinWindow is for how long an event must be remembered at least, so that nobody can
	// send it again; 0: no time does, because no time is judged.
	MinWindow time.Duration
	// MaxBodyBytes is the largest body; 0: the provider doesn't say.
	MaxBodyBytes int64
	// SignedContentUnique: no two events have the same signed content.
	SignedContentUnique bool
	// NeedsURL: the sender signs the URL that it was given.
	NeedsURL bool
	// Parameters are what the sender needs to know of an endpoint.
	Parameters []v1alpha1.ProviderParameter
	// AckTime is for how long the sender waits for an answer; 0: nothing official says it.
	AckTime time.Duration
	// Responses are the answers that the sender wants to see; nil: any.
	Responses *v1alpha1.ProviderResponses
	// Unauthenticated says what signatures leave out, a sentence for each scheme.
	Unauthenticated []string

	// Reason and Problem say why the provider must not serve; empty: it may.
	Reason, Problem string

	// Verifier is the provider ready to judge requests; nil if it must not serve.
	Verifier *verify.Verifier
}

// CheckKey reports whether a secret can be used with the sender. A sender that
// must not serve has no opinion.
func (s *Sender) CheckKey(key secret.Value) error {
	if s.Verifier == nil {
		return nil
	}
	return s.Verifier.CheckKey(key)
}

// Compile compiles a provider and runs its examples. What is wrong with it is in
// the result.
func Compile(object *v1alpha1.WebhookProvider) *Sender {
	spec := &object.Spec
	s := &Sender{Provider: verifyProvider(object.Name, spec), Parameters: spec.Parameters, Responses: spec.Responses}
	if spec.Deduplication != nil {
		s.SignedContentUnique = spec.Deduplication.SignedContentUnique
		if spec.Deduplication.Window != nil {
			s.Window = spec.Deduplication.Window.Duration
		}
	}
	if spec.MaxBodyBytes != nil {
		s.MaxBodyBytes = spec.MaxBodyBytes.Value()
	}
	s.AckTime = ackTime(spec.Facts)
	verifier, err := verify.Compile(s.Provider)
	if err != nil {
		s.Reason, s.Problem = v1alpha1.ReasonInvalidScheme, sentence(err)
		return s
	}
	s.NeedsURL, s.Unauthenticated, s.MinWindow = verifier.NeedsURL(), verifier.Unauthenticated(), verifier.Lifetime()
	if err := checkRetries(spec, s); err != nil {
		s.Reason, s.Problem = v1alpha1.ReasonInvalidScheme, sentence(err)
		return s
	}
	for i := range spec.Tests {
		if problem := runExample(verifier, &s.Provider, &spec.Tests[i]); problem != "" {
			s.Reason = v1alpha1.ReasonExampleFailed
			s.Problem = fmt.Sprintf("The example %q fails: %s.", spec.Tests[i].Name, problem)
			return s
		}
	}
	s.Verifier = verifier
	return s
}

// ackTime goes by official documents only: what somebody has heard of the sender would make
// a request wait for nobody.
func ackTime(facts *v1alpha1.ProviderFacts) time.Duration {
	if facts == nil || facts.Delivery != "Official" {
		return 0
	}
	return time.Duration(facts.AckSeconds) * time.Second
}

// DefaultWindow is for how long events are remembered if the endpoint doesn't say.
func (s *Sender) DefaultWindow() time.Duration {
	if s.Window == 0 {
		return defaultWindow
	}
	return s.Window
}

// Known reports whether there is a provider to go by.
func (s *Sender) Known() bool { return len(s.Provider.Schemes) > 0 }

// NeedsSecret reports whether an endpoint of the sender must have a secretRef.
func (s *Sender) NeedsSecret() bool {
	return s.Provider.NeedsSecret() || slices.ContainsFunc(s.Parameters, func(p v1alpha1.ProviderParameter) bool {
		return p.Sensitive && p.Required
	})
}

// sentence makes one line of an error that lists several. Fields are called as
// in the WebhookProvider.
func sentence(err error) string {
	lines := strings.ReplaceAll(err.Error(), "\n", "; ")
	return "spec is not valid: " + strings.ReplaceAll(lines, "schemes[", "verify[") + "."
}
