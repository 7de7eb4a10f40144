package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// TestProviderSaysTheSame: every field of a WebhookProvider arrives in the words
// of the receiver.
func TestProviderSaysTheSame(t *testing.T) {
	got := provider.Compile(&v1alpha1.WebhookProvider{
		ObjectMeta: metav1.ObjectMeta{Name: "everything"},
		Spec: v1alpha1.WebhookProviderSpec{
			Verify: []v1alpha1.SignatureScheme{{
				Name: "kv", Methods: []v1alpha1.DeliveryMethod{"GET", "PUT"}, BodyFormat: "JSONArray", ContentEncoding: "Decoded",
				MediaType: "application/json", Algorithm: "HMAC-SHA1", Key: []v1alpha1.KeyStep{"trim:k_", "hex"},
				KeyID: &v1alpha1.RequestLocation{Header: "X-Key"},
				Signature: v1alpha1.SignatureFormat{
					From: []v1alpha1.RequestLocation{{Query: "sig"}, {JSON: "/sig"}}, Encoding: "Base64URL",
					KeyValue: &v1alpha1.SignatureKeyValue{Separator: ",", Equals: "=", SignatureKey: "v1", TimestampKey: "t", TrimSpace: true},
				},
				Content: "{url}{timestamp}{id}{body}", AlternativeContent: []v1alpha1.ContentTemplate{"{url}{timestamp}{id}{crc32}"},
				URLForms: []v1alpha1.URLForm{"NoPort"}, ID: &v1alpha1.RequestLocation{Form: "id"},
				Timestamp:  &v1alpha1.SignatureTimestamp{Unit: "Milliseconds", Tolerance: &metav1.Duration{Duration: 1500 * time.Millisecond}},
				BodyDigest: &v1alpha1.BodyDigest{From: v1alpha1.RequestLocation{Query: "digest"}, Encoding: "Hex", Optional: true},
				Require: []v1alpha1.RequestCondition{
					{RequestLocation: v1alpha1.RequestLocation{Header: "X-Version"}, Equals: "1"},
					{RequestLocation: v1alpha1.RequestLocation{Header: "X-Other"}, Absent: true},
					{RequestLocation: v1alpha1.RequestLocation{Header: "X-Topic"}, Parameter: "topic", Optional: true},
				},
			}, {
				Name: "list", Algorithm: "HMAC-SHA256", BodyUnsigned: true, Content: "{timestamp}",
				Signature: v1alpha1.SignatureFormat{
					From: []v1alpha1.RequestLocation{{Header: "X-List"}}, Repeated: true, Encoding: "Hex",
					List: &v1alpha1.SignatureList{Separator: " ", Prefix: "v1,"},
				},
				Timestamp: &v1alpha1.SignatureTimestamp{From: &v1alpha1.RequestLocation{Header: "X-Time"}},
			}, {
				Name: "prefix", Algorithm: "HMAC-SHA512", Content: "{body}",
				Signature: v1alpha1.SignatureFormat{
					From: []v1alpha1.RequestLocation{{Header: "X-Prefix"}}, Prefix: "v1=", PrefixOptional: true, Encoding: "Hex",
				},
			}, {
				Name: "pairs", Algorithm: "HMAC-SHA256", Content: "{body}",
				Signature: v1alpha1.SignatureFormat{
					From: []v1alpha1.RequestLocation{{Header: "X-Pairs"}}, Pairs: &v1alpha1.SignaturePairs{Separator: "&", Equals: "|"}, Encoding: "Hex",
				},
			}},
			Identity:       v1alpha1.EventIdentity{ID: []v1alpha1.IdentityTemplate{"{id}", "{signed_sha256}"}, Type: []v1alpha1.IdentityTemplate{"{json:/type}"}},
			Deduplication:  &v1alpha1.ProviderDeduplication{Window: &metav1.Duration{Duration: time.Hour}, SignedContentUnique: true},
			Parameters:     []v1alpha1.ProviderParameter{{Name: "topic", Description: "The topic."}},
			JSONFormFields: []string{"payload"},
			MaxBodyBytes:   new(resource.MustParse("5Mi")),
		},
	})
	want := verify.Provider{Name: "everything", Schemes: []verify.Scheme{{
		Name: "kv", Methods: []string{"GET", "PUT"}, BodyFormat: verify.JSONArray, ContentEncoding: verify.Decoded,
		MediaType: "application/json", Algorithm: verify.HMACSHA1, Key: []string{"trim:k_", "hex"},
		KeyID: &verify.Location{Header: "X-Key"},
		Signature: verify.Signature{
			From: []verify.Location{{Query: "sig"}, {JSON: "/sig"}}, Encoding: verify.Base64URL,
			KeyValue: &verify.KeyValue{Separator: ",", Equals: "=", SignatureKey: "v1", TimestampKey: "t", TrimSpace: true},
		},
		Content: "{url}{timestamp}{id}{body}", AlternativeContent: []string{"{url}{timestamp}{id}{crc32}"},
		URLForms: []verify.URLForm{verify.URLNoPort}, ID: &verify.Location{Form: "id"},
		Timestamp:  &verify.Timestamp{Unit: verify.Milliseconds, ToleranceSeconds: 2},
		BodyDigest: &verify.BodyDigest{From: verify.Location{Query: "digest"}, Encoding: verify.Hex, Optional: true},
		Require: []verify.Condition{
			{Location: verify.Location{Header: "X-Version"}, Equals: "1"},
			{Location: verify.Location{Header: "X-Other"}, Absent: true},
			{Location: verify.Location{Header: "X-Topic"}, Parameter: "topic", Optional: true},
		},
	}, {
		Name: "list", Algorithm: verify.HMACSHA256, BodyUnsigned: true, Content: "{timestamp}",
		Signature: verify.Signature{
			From: []verify.Location{{Header: "X-List"}}, Repeated: true, Encoding: verify.Hex, List: &verify.List{Separator: " ", Prefix: "v1,"},
		},
		Timestamp: &verify.Timestamp{From: &verify.Location{Header: "X-Time"}},
	}, {
		Name: "prefix", Algorithm: verify.HMACSHA512, Content: "{body}",
		Signature: verify.Signature{From: []verify.Location{{Header: "X-Prefix"}}, Prefix: "v1=", PrefixOptional: true, Encoding: verify.Hex},
	}, {
		Name: "pairs", Algorithm: verify.HMACSHA256, Content: "{body}",
		Signature: verify.Signature{From: []verify.Location{{Header: "X-Pairs"}}, Pairs: &verify.Pairs{Separator: "&", Equals: "|"}, Encoding: verify.Hex},
	}}, Identity: verify.Identity{ID: []string{"{id}", "{signed_sha256}"}, Type: []string{"{json:/type}"}},
		Parameters: []verify.Parameter{{Name: "topic"}}, JSONFormFields: []string{"payload"}}
	if got.Problem != "" {
		t.Error(got.Problem)
	}
	if diff := cmp.Diff(want, got.Provider); diff != "" {
		t.Error(diff)
	}
	if got.Window != time.Hour || !got.SignedContentUnique || got.MaxBodyBytes != 5<<20 || !got.NeedsURL {
		t.Errorf("window %s, unique %v, %d bytes, needs URL %v", got.Window, got.SignedContentUnique, got.MaxBodyBytes, got.NeedsURL)
	}
}

// TestProviderThatFails: a provider that is wrong, or whose examples don't come
// out, says so in a sentence and doesn't serve.
func TestProviderThatFails(t *testing.T) {
	for name, test := range map[string]struct {
		change          func(*v1alpha1.WebhookProvider)
		reason, problem string
	}{
		"scheme": {func(p *v1alpha1.WebhookProvider) { p.Spec.Verify[0].Content = "{nothing}" },
			v1alpha1.ReasonInvalidScheme, "spec is not valid: verify[0].content: {nothing} is not a variable here"},
		"identity": {func(p *v1alpha1.WebhookProvider) { p.Spec.Identity.ID[0] = "{body}" },
			v1alpha1.ReasonInvalidScheme, "identity.id[0]"},
		"accepted, should be rejected": {func(p *v1alpha1.WebhookProvider) {
			example(p, "a genuine event").Expect = v1alpha1.Expectation{Rejected: "WrongSignature"}
		}, v1alpha1.ReasonExampleFailed, `The example "a genuine event" fails: it should be rejected for WrongSignature, and it is accepted.`},
		"rejected, should be accepted": {func(p *v1alpha1.WebhookProvider) { example(p, "a genuine event").Secret = "other" },
			v1alpha1.ReasonExampleFailed, "it should be accepted, and it is rejected (WrongSignature"},
		"another reason": {func(p *v1alpha1.WebhookProvider) { example(p, "another secret").Expect.Rejected = "MissingID" },
			v1alpha1.ReasonExampleFailed, "it should be rejected for MissingID, and it is for another reason (WrongSignature"},
		"another id": {func(p *v1alpha1.WebhookProvider) { example(p, "a genuine event").Expect.ID = "x" },
			v1alpha1.ReasonExampleFailed, `the event id should be "x", and it is "72d3162e`},
		"another type": {func(p *v1alpha1.WebhookProvider) { example(p, "a genuine event").Expect.Type = "" },
			v1alpha1.ReasonExampleFailed, `the event type should be "", and it is "ping"`},
		"another scheme": {func(p *v1alpha1.WebhookProvider) { example(p, "a genuine event").Expect.Scheme = "x" },
			v1alpha1.ReasonExampleFailed, `verified by the scheme "x", and it is by "sha256"`},
		"no URL": {func(p *v1alpha1.WebhookProvider) { example(p, "a genuine event").Request.URL = "http://a b" },
			v1alpha1.ReasonExampleFailed, "request.url is not a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			object := preset(t, "github")
			test.change(object)
			got := provider.Compile(object)
			if got.Reason != test.reason || !strings.Contains(got.Problem, test.problem) || strings.Contains(got.Problem, "\n") {
				t.Errorf("%s: %s\nwant %s: %s", got.Reason, got.Problem, test.reason, test.problem)
			}
		})
	}
}

// example finds an example of a provider by its name.
func example(p *v1alpha1.WebhookProvider, name string) *v1alpha1.ProviderTest {
	for i := range p.Spec.Tests {
		if p.Spec.Tests[i].Name == name {
			return &p.Spec.Tests[i]
		}
	}
	panic("the preset has no example " + name)
}

func TestSenderCheckKey(t *testing.T) {
	sender := provider.Compile(preset(t, "standard-webhooks"))
	if err := sender.CheckKey(secret.New([]byte("whsec_!"))); err == nil {
		t.Error("a secret that is no base64 is taken")
	}
	if err := sender.CheckKey(secret.New([]byte("whsec_AAAA"))); err != nil {
		t.Error(err)
	}
	if err := new(provider.Sender).CheckKey(secret.New(nil)); err != nil {
		t.Errorf("a sender that doesn't serve has an opinion: %v", err)
	}
}

// TestPresetsAdmitGaps pins what presets say of themselves.
func TestPresetsAdmitGaps(t *testing.T) {
	for name, want := range map[string][]string{
		"stripe":            nil,
		"standard-webhooks": nil,
		"github": {"sha256: the event id (header X-Github-Hook-Id, header X-Github-Delivery); the event type (header X-Github-Event); " +
			"the time: a request that was captured passes again once its event is forgotten (deduplication.window)"},
		"gitlab": {
			"signing-token: the event type (header X-Gitlab-Event)",
			"secret-token: the body and all headers: the sender proves only that it knows the secret",
		},
		"mailgun": {
			"default: the body, but for JSON member /signature/token, JSON member /signature/timestamp; " +
				"the event id (JSON member /event-data/id, form field token); the event type (JSON member /event-data/event, form field event)",
			"form: the body, but for form field token; the event id (JSON member /event-data/id); " +
				"the event type (JSON member /event-data/event, form field event)",
		},
	} {
		if diff := cmp.Diff(want, provider.Compile(preset(t, name)).Unauthenticated); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
