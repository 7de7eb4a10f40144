package controllers_test

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
)

var _ = Describe("The Secret of an endpoint", func() {
	var endpoint *v1alpha1.WebhookEndpoint
	BeforeEach(func() {
		create(aService("shop-api"))
		receiver("a").serves(everything)
		endpoint = anEndpoint("orders")
		create(endpoint)
	})

	It("may come later, change and go", func() {
		Eventually(condition(endpoint, "Ready")).Should(Equal("False SecretNotFound"))
		Expect(routeOf(endpoint)(Default).Unavailable).To(ContainSubstring(`no Secret "hook"`))

		By("coming")
		secret := aSecret("correct horse")
		create(secret)
		becomesReady(endpoint)
		Expect(keyOf(endpoint)(Default)).To(Equal("correct horse"))

		By("changing")
		change(secret, func(s *corev1.Secret) { s.Data["secret"] = []byte("battery staple") })
		Eventually(keyOf(endpoint)).Should(Equal("battery staple"))
		becomesReady(endpoint)

		By("being emptied")
		change(secret, func(s *corev1.Secret) { s.Data["secret"] = []byte(" \n") })
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False SecretInvalid"))
		Expect(keyOf(endpoint)(Default)).To(BeEmpty())
		Expect(routeOf(endpoint)(Default).Unavailable).To(ContainSubstring("is empty"))

		By("losing its entry")
		change(secret, func(s *corev1.Secret) { s.Data = nil })
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False SecretKeyNotFound"))

		By("going")
		remove(secret)
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False SecretNotFound"))
		Expect(condition(endpoint, "Programmed")(Default)).To(Equal("True Programmed"), "the refusal is served")
	})

	It("may end in a newline, which is told", func() {
		create(aSecret("correct horse\n"))
		becomesReady(endpoint)
		Expect(keyOf(endpoint)(Default)).To(Equal("correct horse"))
		Expect(message(endpoint, "ResolvedRefs")(Default)).To(HaveSuffix(`The newline at the end of the entry "secret" of the Secret "hook" was dropped.`))
	})

	It("is the only one that is read", func() {
		unrelated := aSecret("of somebody else")
		unrelated.Name = "unrelated"
		create(unrelated, aSecret("correct horse"))
		becomesReady(endpoint)
		change(unrelated, func(s *corev1.Secret) { s.Labels = map[string]string{"touched": "yes"} })
		create(anEndpoint("witness"))
		becomesReady(anEndpoint("witness"))

		read := func(name string) func(*http.Request) bool {
			return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/"+namespace+"/secrets/"+name) }
		}
		Expect(manager.sent.that(read("hook"))).NotTo(BeEmpty())
		Expect(manager.sent.that(read("unrelated"))).To(BeEmpty())
		Expect(manager.sent.that(func(r *http.Request) bool {
			everywhere := r.URL.Path == "/api/v1/secrets" || strings.HasSuffix(r.URL.Path, "/"+namespace+"/secrets")
			return everywhere && !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
		})).To(BeEmpty(), "lists of Secrets are of their metadata")
	})

	It("shows in no status", func() {
		create(aSecret("correct horse"))
		becomesReady(endpoint)
		for _, c := range now(endpoint).Status.Conditions {
			Expect(c.Message).NotTo(ContainSubstring("horse"))
		}
	})
})

var _ = Describe("The target of an endpoint", func() {
	It("may come later, change and go, while events are accepted", func() {
		create(aSecret("correct horse"))
		receiver("a").serves(everything)
		endpoint := anEndpoint("orders", toPort("http"))
		create(endpoint)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False TargetNotFound"))
		Expect(routeOf(endpoint)(Default).Unavailable).To(BeEmpty())
		Expect(routeOf(endpoint)(Default).Target.Unresolved).To(ContainSubstring("kept until it appears"))

		By("coming")
		service := aService("shop-api")
		create(service)
		becomesReady(endpoint)
		Expect(routeOf(endpoint)(Default).Target.Port).To(BeEquivalentTo(8080))

		By("changing the number of the port")
		change(service, func(s *corev1.Service) { s.Spec.Ports[0].Port = 9090 })
		Eventually(func(g Gomega) int32 { return routeOf(endpoint)(g).Target.Port }).Should(BeEquivalentTo(9090))
		becomesReady(endpoint)

		By("changing the name of the port")
		change(service, func(s *corev1.Service) { s.Spec.Ports[0].Name = "web" })
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False TargetPortNotFound"))

		By("leading out of the cluster")
		change(service, func(s *corev1.Service) {
			s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "metadata.google.internal"}
		})
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False TargetNotAllowed"))

		By("going")
		remove(service)
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False TargetNotFound"))
	})
})

var _ = Describe("The provider of an endpoint", func() {
	var (
		provider *v1alpha1.WebhookProvider
		endpoint *v1alpha1.WebhookEndpoint
	)
	BeforeEach(func() {
		inOrder()
		provider = aProvider("own-" + namespace)
		endpoint = anEndpoint("orders", from(provider.Name))
		create(endpoint)
		DeferCleanup(func() { _ = cluster.Delete(ctx, provider) })
	})

	It("may come later, change and go", func() {
		Eventually(condition(endpoint, "Ready")).Should(Equal("False ProviderNotFound"))
		Expect(routeOf(endpoint)(Default).Unavailable).To(ContainSubstring("There is no WebhookProvider"))

		By("coming")
		create(provider)
		becomesReady(endpoint)
		Expect(routeOf(endpoint)(Default).Provider.Name).To(Equal(provider.Name))

		By("changing")
		change(provider, func(p *v1alpha1.WebhookProvider) {
			p.Spec.Identity.Type = []v1alpha1.IdentityTemplate{"{header:X-Type}"}
		})
		Eventually(func(g Gomega) []string { return routeOf(endpoint)(g).Provider.Identity.Type }).Should(Equal([]string{"{header:X-Type}"}))
		becomesReady(endpoint)

		By("failing its examples")
		change(provider, failing)
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False ProviderNotVerified"))
		Expect(message(endpoint, "ResolvedRefs")(Default)).To(ContainSubstring(`The example "a wrong token" fails`))
		Expect(routeOf(endpoint)(Default).Unavailable).NotTo(BeEmpty())

		By("going")
		remove(provider)
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False ProviderNotFound"))
	})

	It("may be made again under its name", func() {
		create(provider)
		becomesReady(endpoint)
		remove(provider)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False ProviderNotFound"))

		provider = aProvider(provider.Name)
		failing(provider)
		create(provider)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False ProviderNotVerified"))
	})
})
