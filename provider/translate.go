package provider

import (
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/verify"
)

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
