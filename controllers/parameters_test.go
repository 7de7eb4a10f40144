package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// asking lets a provider ask for the room that may send, and for a word.
func asking(provider *v1alpha1.WebhookProvider) {
	provider.Spec.Parameters = []v1alpha1.ProviderParameter{
		{Name: "room", Description: "The room that may send.", Required: true},
		{Name: "word", Description: "What a handshake brings along.", Required: true, Sensitive: true},
	}
	provider.Spec.Verify[0].Require = []v1alpha1.RequestCondition{{RequestLocation: v1alpha1.RequestLocation{Header: "X-Room"}, Parameter: "room"}}
	for i := range provider.Spec.Tests {
		test := &provider.Spec.Tests[i]
		test.Parameters = []v1alpha1.ParameterValues{{Name: "room", Values: []string{"red"}}}
		test.Request.Headers = append(test.Request.Headers, v1alpha1.ExampleHeader{Name: "X-Room", Value: "red"})
	}
}

// publishing lets a provider sign tokens with keys that it publishes.
func publishing(url string) func(*v1alpha1.WebhookProvider) {
	return func(provider *v1alpha1.WebhookProvider) {
		provider.Spec.Verify = []v1alpha1.SignatureScheme{{
			Name: "jwt", Algorithm: "JWT", KeySource: &v1alpha1.KeySource{JWKSURL: url}, BodyUnsigned: true,
			JWT: &v1alpha1.JSONWebToken{Algorithms: []v1alpha1.JWTAlgorithm{"ES256"}, Claims: []v1alpha1.JWTClaim{
				{Claim: "/iss", Values: []string{"https://example.com"}}, {Claim: "/aud", Values: []string{"us"}},
			}},
			Signature: v1alpha1.SignatureFormat{From: []v1alpha1.RequestLocation{{Header: "Authorization"}}, Prefix: "Bearer ", Encoding: "Text"},
		}}
		unsigned(provider)
	}
}

// certified lets a provider sign with a certificate that its requests name.
func certified(provider *v1alpha1.WebhookProvider) {
	provider.Spec.Verify = []v1alpha1.SignatureScheme{{
		Name: "certificate", Algorithm: "RSA-SHA256", Content: "{body}",
		KeySource: &v1alpha1.KeySource{Certificate: &v1alpha1.CertificateSource{
			From: v1alpha1.RequestLocation{Header: "X-Certificate"}, HostPattern: `bell\.example\.com`, PathPattern: `/bell\.pem`, DNSNames: []string{"bell.example.com"},
		}},
		Signature: v1alpha1.SignatureFormat{From: []v1alpha1.RequestLocation{{Header: "X-Signature"}}, Encoding: "Base64"},
	}}
	unsigned(provider)
}

// unsigned gives a provider one example, which is refused.
func unsigned(provider *v1alpha1.WebhookProvider) {
	provider.Spec.Tests = []v1alpha1.ProviderTest{{
		Name: "unsigned", Secret: "none", Request: v1alpha1.ExampleRequest{Body: "{}"}, Expect: v1alpha1.Expectation{Rejected: "MissingSignature"},
	}}
}

// ownProvider creates a provider for the spec.
func ownProvider(details ...func(*v1alpha1.WebhookProvider)) *v1alpha1.WebhookProvider {
	GinkgoHelper()
	provider := aProvider("own-" + namespace)
	for _, detail := range details {
		detail(provider)
	}
	create(provider)
	DeferCleanup(func() { _ = cluster.Delete(ctx, provider) })
	return provider
}

func withoutSecret(spec *v1alpha1.WebhookEndpointSpec) { spec.SecretRef = nil }

var _ = Describe("The parameters of an endpoint", func() {
	It("may come later and go, from the spec and from the Secret", func() {
		inOrder()
		endpoint := anEndpoint("orders", from(ownProvider(asking).Name))
		create(endpoint)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False ParameterMissing"))
		Expect(message(endpoint, "ResolvedRefs")(Default)).To(SatisfyAll(
			ContainSubstring(`needs the parameter "room": add it to spec.parameters. It is: The room that may send.`),
			ContainSubstring(`needs the parameter "word": put it into the entry "word" of the Secret "hook".`)))
		Expect(routeOf(endpoint)(Default).Unavailable).To(ContainSubstring(`"room"`))

		By("coming")
		change(theSecret(), func(s *corev1.Secret) { s.Data["word"] = []byte("sesame\n") })
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) {
			e.Spec.Parameters = []v1alpha1.ParameterValues{{Name: "room", Values: []string{"red", "blue"}}}
		})
		becomesReady(endpoint)
		values := func(g Gomega) map[string][]string {
			all := map[string][]string{}
			for _, parameter := range routeOf(endpoint)(g).Parameters {
				all[parameter.Name] = append(all[parameter.Name], string(parameter.Value.Reveal()))
			}
			return all
		}
		Expect(values(Default)).To(Equal(map[string][]string{"room": {"red", "blue"}, "word": {"sesame"}}))
		Expect(string(now(routeSecret(endpoint)).Data["route.json"])).NotTo(ContainSubstring("sesame"))

		By("changing in the Secret")
		change(theSecret(), func(s *corev1.Secret) { s.Data["word"] = []byte("barley") })
		Eventually(values).Should(HaveKeyWithValue("word", []string{"barley"}))

		By("being misspelt")
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) {
			e.Spec.Parameters = append(e.Spec.Parameters, v1alpha1.ParameterValues{Name: "rom", Values: []string{"red"}})
		})
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False ParameterUnknown"))
		Expect(routeOf(endpoint)(Default).Unavailable).To(ContainSubstring(`no parameter "rom"`))
	})
})

var _ = Describe("An endpoint without a Secret", func() {
	It("is told if its provider needs one", func() {
		inOrder()
		endpoint := anEndpoint("orders", withoutSecret)
		create(endpoint)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False SecretRequired"))
		Expect(routeOf(endpoint)(Default).Unavailable).To(ContainSubstring("name it in spec.secretRef"))

		By("naming one")
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) {
			e.Spec.SecretRef = &v1alpha1.SecretKeyReference{Name: "hook", Key: "secret"}
		})
		becomesReady(endpoint)

		By("naming none any more")
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.SecretRef = nil })
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False SecretRequired"))
		Expect(keysOf(endpoint)(Default)).To(BeEmpty())
	})

	It("serves if its provider needs none", func() {
		create(aService("shop-api"))
		receiver("a").serves(everything)
		endpoint := anEndpoint("orders", withoutSecret, from(ownProvider(certified).Name))
		create(endpoint)
		becomesReady(endpoint)
		Expect(routeOf(endpoint)(Default).Unavailable).To(BeEmpty())
		Expect(keysOf(endpoint)(Default)).To(BeEmpty())
	})
})
