package controllers_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

var _ = Describe("An endpoint", func() {
	It("becomes a route, a Service and a status", func() {
		inOrder()
		endpoint := anEndpoint("orders", at("/v1/orders"))
		create(endpoint)
		becomesReady(endpoint)

		made := routeOf(endpoint)(Default)
		Expect(made.Endpoint.String()).To(Equal(namespace + "/orders"))
		Expect(made.Endpoint.UID).To(BeEquivalentTo(endpoint.UID))
		Expect(made.Path).To(Equal("/" + namespace + "/v1/orders"))
		Expect(made.PublicURL).To(Equal("https://hooks.example.com/" + namespace + "/v1/orders"))
		Expect(made.Provider.Name).To(Equal("till"))
		Expect(made.Keys).To(HaveLen(1))
		Expect(made.Keys[0].Value.Equal([]byte("correct horse"))).To(BeTrue())
		Expect(made.Target).To(Equal(route.Target{Namespace: namespace, Service: "shop-api", Port: 8080, Scheme: "http", Path: "/"}))
		Expect(made.Unavailable).To(BeEmpty())

		secret := now(routeSecret(endpoint))
		Expect(secret.Type).To(BeEquivalentTo(route.SecretType))
		Expect(secret.Labels).To(HaveKeyWithValue(route.LabelRoute, "true"))
		Expect(secret.Labels).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "sallyport"))
		Expect(secret.Annotations).To(HaveKeyWithValue(route.AnnotationPath, made.Path))

		service := now(aliasOf(endpoint))
		Expect(service.Spec.Type).To(Equal(corev1.ServiceTypeExternalName))
		Expect(service.Spec.ExternalName).To(Equal(receiverHost))
		Expect(metav1.IsControlledBy(service, endpoint)).To(BeTrue())

		status := now(endpoint).Status
		Expect(status.URL).To(Equal("https://hooks.example.com/" + namespace + "/v1/orders"))
		Expect(status.ObservedGeneration).To(Equal(endpoint.Generation))
		for _, kind := range []string{"Accepted", "ResolvedRefs", "Programmed"} {
			Expect(condition(endpoint, kind)(Default)).To(HavePrefix("True"), kind)
		}
	})

	It("is followed when it changes", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)

		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Path = "/pay" })
		becomesReady(endpoint)
		Expect(routeOf(endpoint)(Default).Path).To(Equal("/" + namespace + "/pay"))
		Expect(routeOf(endpoint)(Default).Endpoint.Generation).To(BeEquivalentTo(2))
		Expect(now(endpoint).Status.ObservedGeneration).To(BeEquivalentTo(2))
		Expect(endpoint.Status.URL).To(HaveSuffix("/pay"))
	})

	It("takes its route with it when it is deleted", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)

		remove(endpoint)
		Eventually(exists(routeSecret(endpoint))).Should(BeFalse())
	})

	It("is served no more, and nothing is made for it, while a finalizer holds up its deletion", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		endpoint.Finalizers = []string{"example.com/held"}
		create(endpoint)
		becomesReady(endpoint)
		DeferCleanup(func() { change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Finalizers = nil }) })

		remove(endpoint)
		Eventually(exists(routeSecret(endpoint))).Should(BeFalse())
		// As the garbage collector does in a deletion in the foreground.
		remove(aliasOf(endpoint))
		Consistently(exists(aliasOf(endpoint))).Should(BeFalse())
	})

	It("gets no status that was meant for another of its name", func() {
		inOrder()
		answer := manager.sent.beforeNext("/"+namespace+"/webhookendpoints/orders/status", func() {
			remove(anEndpoint("orders"))
			create(anEndpoint("orders", from("nobody")))
		})
		create(anEndpoint("orders"))
		Eventually(answer).Should(Receive(Equal(http.StatusConflict)))
		Eventually(condition(anEndpoint("orders"), "Ready")).Should(Equal("False ProviderNotFound"))
	})

	It("gets no status that was meant for an earlier spec", func() {
		inOrder()
		answer := manager.sent.beforeNext("/"+namespace+"/webhookendpoints/orders/status", func() {
			change(anEndpoint("orders"), func(e *v1alpha1.WebhookEndpoint) { e.Spec.Provider = "nobody" })
		})
		create(anEndpoint("orders"))
		Eventually(answer).Should(Receive(Equal(http.StatusConflict)))
		Eventually(condition(anEndpoint("orders"), "Ready")).Should(Equal("False ProviderNotFound"))
	})

	It("can be made again", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)
		remove(endpoint)

		again := anEndpoint("orders", at("/again"))
		create(again)
		Eventually(condition(again, "Ready")).Should(Equal("False ServiceConflict"))
		remove(aliasOf(endpoint)) // as the garbage collector does, for its owner is gone
		becomesReady(again)
		Expect(routeOf(again)(Default).Endpoint.UID).To(BeEquivalentTo(again.UID))
	})
})
