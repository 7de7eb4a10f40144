package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

var _ = Describe("The secret that an endpoint's target shares", func() {
	It("may come later, change and go, while events are accepted", func() {
		inOrder()
		endpoint := anEndpoint("orders", func(spec *v1alpha1.WebhookEndpointSpec) {
			spec.Target.SigningSecretRef = &v1alpha1.SecretKeyReference{Name: "signing"}
		})
		create(endpoint)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False SigningSecretNotFound"))
		target := func(g Gomega) route.Target { return routeOf(endpoint)(g).Target }
		Expect(routeOf(endpoint)(Default).Unavailable).To(BeEmpty())
		Expect(target(Default).Unresolved).To(ContainSubstring("kept until it appears"))

		By("coming")
		signing := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "signing"},
			StringData: map[string]string{"secret": "whsec_YmF0dGVyeQ=="},
		}
		create(signing)
		becomesReady(endpoint)
		Expect(string(target(Default).Signing.Key.Reveal())).To(Equal("battery"))
		Expect(target(Default).Unresolved).To(BeEmpty())

		By("changing")
		change(signing, func(s *corev1.Secret) { s.Data = map[string][]byte{"secret": []byte("staple")} })
		Eventually(func(g Gomega) string { return string(target(g).Signing.Key.Reveal()) }).Should(Equal("staple"))

		By("going")
		remove(signing)
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False SigningSecretNotFound"))
		Expect(target(Default).Signing).To(BeNil())
		Expect(target(Default).Unresolved).NotTo(BeEmpty())
	})
})
