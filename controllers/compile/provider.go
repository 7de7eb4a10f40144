package compile

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

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
	// Responses are the answers that the sender wants to see.
	Responses route.Responses
	// Unauthenticated says what signatures leave out, a sentence for each scheme.
	Unauthenticated []string

	// Reason and Problem say why the provider must not serve; empty: it may.
	Reason, Problem string

	verifier *verify.Verifier
}

// CheckKey reports whether a secret can be used with the sender. A sender that
// must not serve has no opinion.
func (s *Sender) CheckKey(key secret.Value) error {
	if s.verifier == nil {
		return nil
	}
	return s.verifier.CheckKey(key)
}

// Provider compiles a provider and runs its examples. What is wrong with it is
// in the result.
func Provider(object *v1alpha1.WebhookProvider) *Sender {
	spec := &object.Spec
	s := &Sender{Provider: verifyProvider(object.Name, spec), Parameters: spec.Parameters, Responses: responses(spec.Responses)}
	if spec.Deduplication != nil {
		s.SignedContentUnique = spec.Deduplication.SignedContentUnique
		if spec.Deduplication.Window != nil {
			s.Window = spec.Deduplication.Window.Duration
		}
	}
	if spec.MaxBodyBytes != nil {
		s.MaxBodyBytes = spec.MaxBodyBytes.Value()
	}
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
	s.verifier = verifier
	return s
}

// known reports whether there is a provider to go by.
func (s *Sender) known() bool { return len(s.Provider.Schemes) > 0 }

// needsSecret reports whether an endpoint of the sender must have a secretRef.
func (s *Sender) needsSecret() bool {
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

// verifyProvider says the same in the words of the receiver.
func verifyProvider(name string, spec *v1alpha1.WebhookProviderSpec) verify.Provider {
	p := verify.Provider{Name: name, Identity: verify.Identity{ID: texts(spec.Identity.ID), Type: texts(spec.Identity.Type)}}
	p.JSONFormFields = spec.JSONFormFields
	for i := range spec.Verify {
		p.Schemes = append(p.Schemes, verifyScheme(&spec.Verify[i]))
	}
	for i := range spec.Handshakes {
		p.Handshakes = append(p.Handshakes, verifyHandshake(&spec.Handshakes[i]))
	}
	for _, parameter := range spec.Parameters {
		p.Parameters = append(p.Parameters, verify.Parameter{Name: parameter.Name, Required: parameter.Required, Sensitive: parameter.Sensitive})
	}
	return p
}

func verifyScheme(in *v1alpha1.SignatureScheme) verify.Scheme {
	out := verify.Scheme{
		Name:               in.Name,
		Methods:            texts(in.Methods),
		BodyFormat:         verify.BodyFormat(in.BodyFormat),
		ContentEncoding:    verify.ContentEncoding(in.ContentEncoding),
		MediaType:          in.MediaType,
		When:               verifyConditions(in.When),
		KeySource:          verifyKeySource(in.KeySource),
		JWT:                verifyJWT(in.JWT),
		Algorithm:          verify.Algorithm(in.Algorithm),
		Key:                texts(in.Key),
		KeyID:              verifyLocation(in.KeyID),
		Signature:          verifySignature(&in.Signature),
		Content:            string(in.Content),
		AlternativeContent: texts(in.AlternativeContent),
		ID:                 verifyLocation(in.ID),
		BodyUnsigned:       in.BodyUnsigned,
	}
	for _, form := range in.URLForms {
		out.URLForms = append(out.URLForms, verify.URLForm(form))
	}
	if in.Timestamp != nil {
		out.Timestamp = &verify.Timestamp{
			From:             verifyLocation(in.Timestamp.From),
			Unit:             verify.Unit(in.Timestamp.Unit),
			ToleranceSeconds: seconds(in.Timestamp.Tolerance),
		}
	}
	if in.BodyDigest != nil {
		out.BodyDigest = &verify.BodyDigest{
			From:            verify.Location(in.BodyDigest.From),
			Encoding:        verify.Encoding(in.BodyDigest.Encoding),
			Optional:        in.BodyDigest.Optional,
			AbsentWhenEmpty: in.BodyDigest.AbsentWhenEmpty,
		}
	}
	if in.SignedHeaders != nil {
		out.SignedHeaders = &verify.SignedHeaders{From: verify.Location(in.SignedHeaders.From), Required: in.SignedHeaders.Required}
	}
	out.Require = verifyConditions(in.Require)
	return out
}

func verifySignature(in *v1alpha1.SignatureFormat) verify.Signature {
	out := verify.Signature{
		Repeated:       in.Repeated,
		Prefix:         in.Prefix,
		PrefixOptional: in.PrefixOptional,
		List:           (*verify.List)(in.List),
		KeyValue:       (*verify.KeyValue)(in.KeyValue),
		Pairs:          (*verify.Pairs)(in.Pairs),
		Encoding:       verify.Encoding(in.Encoding),
	}
	for _, location := range in.From {
		out.From = append(out.From, verify.Location(location))
	}
	return out
}

func verifyConditions(in []v1alpha1.RequestCondition) (out []verify.Condition) {
	for _, c := range in {
		out = append(out, verify.Condition{
			Location: verify.Location(c.RequestLocation), Equals: c.Equals, Pattern: c.Pattern, Parameter: c.Parameter,
			Optional: c.Optional, Absent: c.Absent,
		})
	}
	return out
}

func verifyKeySource(in *v1alpha1.KeySource) *verify.KeySource {
	if in == nil {
		return nil
	}
	out := &verify.KeySource{JWKSURL: in.JWKSURL, PublicKey: (*verify.PublicKeySource)(in.PublicKey)}
	if c := in.Certificate; c != nil {
		out.Certificate = &verify.CertificateSource{
			From: verify.Location(c.From), HostPattern: c.HostPattern, PathPattern: c.PathPattern, DNSNames: c.DNSNames,
			Issuers: (*verify.CertificateIssuers)(c.Issuers),
		}
	}
	return out
}

func verifyJWT(in *v1alpha1.JSONWebToken) *verify.JWT {
	if in == nil {
		return nil
	}
	out := &verify.JWT{Algorithms: texts(in.Algorithms), MaxAgeSeconds: seconds(in.MaxAge)}
	for _, c := range in.Claims {
		out.Claims = append(out.Claims, verify.Claim{Claim: c.Claim, Values: c.Values, Parameter: c.Parameter, URLDigest: verify.Encoding(c.URLDigest)})
	}
	return out
}

func verifyHandshake(in *v1alpha1.Handshake) verify.Handshake {
	out := verify.Handshake{
		Name:     in.Name,
		Kind:     verify.HandshakeKind(in.Kind),
		Method:   in.Method,
		Match:    verifyConditions(in.Match),
		Unsigned: in.Unsigned,
		Guard:    verifyConditions(in.Guard),
		Answer: verify.HandshakeAnswer{
			Status:      int(valueOrDefault(in.Answer.Status, http.StatusOK)),
			ContentType: in.Answer.ContentType,
			Headers:     verifyFields(in.Answer.Headers),
			Body:        string(in.Answer.Body),
			JSON:        verifyFields(in.Answer.JSON),
		},
	}
	if in.Confirm != nil {
		out.Confirm = &verify.Confirmation{
			From: verify.Location(in.Confirm.From), HostPattern: in.Confirm.HostPattern, PathPattern: in.Confirm.PathPattern,
			QueryPattern: in.Confirm.QueryPattern,
		}
	}
	return out
}

func verifyFields(in []v1alpha1.AnswerField) (out []verify.Field) {
	for _, field := range in {
		out = append(out, verify.Field{Name: field.Name, Value: string(field.Value)})
	}
	return out
}

// valueOrDefault is what the API server would have filled in: presets serve also
// without having been there.
func valueOrDefault(value, otherwise int32) int32 {
	if value == 0 {
		return otherwise
	}
	return value
}

func verifyLocation(in *v1alpha1.RequestLocation) *verify.Location { return (*verify.Location)(in) }

// seconds rounds up, so that a tolerance never becomes "not judged".
func seconds(d *metav1.Duration) int64 {
	if d == nil {
		return 0
	}
	return int64((d.Duration + time.Second - 1) / time.Second)
}

func texts[T ~string](in []T) []string {
	if in == nil {
		return nil
	}
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
