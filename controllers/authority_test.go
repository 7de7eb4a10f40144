package controllers_test

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/pki"
)

var _ = Describe("The CA of an endpoint's target", func() {
	It("may come later and go, while events are accepted", func() {
		inOrder()
		certificate, err := os.ReadFile(pki.NewCA(GinkgoTB()).File)
		Expect(err).NotTo(HaveOccurred())
		endpoint := anEndpoint("orders", func(spec *v1alpha1.WebhookEndpointSpec) {
			spec.Target.Service.Scheme = "https"
			spec.Target.Service.CARef = &v1alpha1.ConfigMapKeyReference{Name: "shop-ca"}
		})
		create(endpoint)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False CANotFound"))
		Expect(routeOf(endpoint)(Default).Unavailable).To(BeEmpty())

		By("coming")
		authority := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-ca"},
			Data:       map[string]string{"ca.crt": "to do"},
		}
		create(authority)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False CAInvalid"))
		change(authority, func(c *corev1.ConfigMap) { c.Data["ca.crt"] = string(certificate) })
		becomesReady(endpoint)
		Expect(routeOf(endpoint)(Default).Target.CA).To(Equal(string(certificate)))

		By("going")
		remove(authority)
		Eventually(condition(endpoint, "ResolvedRefs")).Should(Equal("False CANotFound"))
		Expect(routeOf(endpoint)(Default).Target.Unresolved).NotTo(BeEmpty())
	})
})
