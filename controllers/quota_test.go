package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// allow sets annotations of the namespace, as a platform team does.
func allow(annotations map[string]string) {
	GinkgoHelper()
	change(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, func(n *corev1.Namespace) {
		n.Annotations = annotations
	})
}

func taking(size string) func(*v1alpha1.WebhookEndpointSpec) {
	return func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Limits = &v1alpha1.LimitsSpec{MaxBodyBytes: new(resource.MustParse(size))}
	}
}

var _ = Describe("The quota of a namespace", func() {
	BeforeEach(inOrder)

	It("serves the oldest endpoints, and others when there is room", func() {
		older, younger := anEndpoint("zebra"), anEndpoint("ant")
		create(older)
		becomesReady(older)
		// The API server counts ages in seconds.
		Eventually(func() int64 { return time.Now().Unix() }).Should(BeNumerically(">", older.CreationTimestamp.Unix()))
		create(younger)
		becomesReady(younger)

		By("being lowered")
		allow(map[string]string{v1alpha1.AnnotationMaxEndpoints: "1"})
		Eventually(condition(younger, "Ready")).Should(Equal("False QuotaExceeded"))
		Expect(message(younger, "Accepted")(Default)).To(ContainSubstring("allows 1 endpoints in this namespace, and 1 came before this one"))
		Expect(routeOf(younger)(Default).Unavailable).To(ContainSubstring("The platform team allows"), "senders get 503, and come again")
		Expect(condition(older, "Ready")(Default)).To(Equal("True Ready"))

		By("an endpoint that goes")
		remove(older)
		becomesReady(younger)
	})

	It("bounds bodies, those of providers by default, too", func() {
		asking, silent := anEndpoint("asking", taking("2Mi")), anEndpoint("silent")
		create(asking, silent)
		becomesReady(asking)
		allow(map[string]string{v1alpha1.AnnotationMaxBodyBytes: "512Ki"})
		Eventually(condition(asking, "Ready")).Should(Equal("False QuotaExceeded"))
		Expect(message(asking, "Accepted")(Default)).To(ContainSubstring("limits.maxBodyBytes is 2Mi, and the platform team allows 512Ki"))
		Eventually(func(g Gomega) int64 { return routeOf(silent)(g).Limits.MaxBodyBytes }).Should(BeEquivalentTo(512 << 10))
		becomesReady(silent)
		change(asking, func(e *v1alpha1.WebhookEndpoint) { taking("100Ki")(&e.Spec) })
		becomesReady(asking)
	})

	It("says which annotation it can't read", func() {
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)
		allow(map[string]string{v1alpha1.AnnotationMaxEndpoints: "-1", v1alpha1.AnnotationMaxBodyBytes: "much"})
		Eventually(message(endpoint, "ResolvedRefs")).Should(And(
			ContainSubstring("max-endpoints of the namespace is ignored"), ContainSubstring("max-body-bytes of the namespace is ignored")))
		becomesReady(endpoint)
	})
})

var _ = Describe("An endpoint of another class", func() {
	It("is left to another manager", func() {
		inOrder()
		endpoint := anEndpoint("orders", at("/pay"))
		create(endpoint)
		becomesReady(endpoint)
		rival := anEndpoint("rival", at("/pay"))
		create(rival)
		Eventually(condition(rival, "Ready")).Should(Equal("False PathConflict"))

		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.ClassName = "internal" })
		Eventually(exists(routeSecret(endpoint))).Should(BeFalse())
		becomesReady(rival)
		Consistently(func() int64 { return now(endpoint).Status.ObservedGeneration }, "300ms").Should(BeNumerically("<", endpoint.Generation),
			"its status is for the other manager to write")
	})
})
