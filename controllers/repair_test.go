package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

var _ = Describe("A Service of somebody else", func() {
	It("is never changed, and the endpoint says so", func() {
		inOrder()
		foreign := aService("orders-webhook")
		create(foreign)
		endpoint := anEndpoint("orders")
		create(endpoint)
		Eventually(condition(endpoint, "Programmed")).Should(Equal("False ServiceConflict"))
		version := foreign.ResourceVersion
		Expect(now(foreign).ResourceVersion).To(Equal(version))
		Expect(routeOf(endpoint)(Default).Unavailable).To(BeEmpty(), "senders outside are served all the same")

		By("going")
		remove(foreign)
		becomesReady(endpoint)
		Expect(now(aliasOf(endpoint)).Spec.ExternalName).To(Equal(receiverHost))
	})
})

var _ = Describe("What was made for an endpoint", func() {
	var endpoint *v1alpha1.WebhookEndpoint
	BeforeEach(func() {
		inOrder()
		endpoint = anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)
	})

	DescribeTable("is repaired: a route",
		func(spoil func(*corev1.Secret)) {
			before := now(routeSecret(endpoint))
			spoilt := routeSecret(endpoint)
			change(spoilt, spoil)
			Eventually(func(g Gomega) {
				repaired := routeSecret(endpoint)
				g.Expect(exists(repaired)(g)).To(BeTrue())
				g.Expect(repaired.ResourceVersion).NotTo(Equal(spoilt.ResourceVersion))
				g.Expect(repaired.Data).To(Equal(before.Data))
				g.Expect(repaired.Labels).To(Equal(before.Labels))
				g.Expect(repaired.Annotations).To(Equal(before.Annotations))
			}).Should(Succeed())
			becomesReady(endpoint)
		},
		Entry("with another key", func(s *corev1.Secret) { s.Data["key-0"] = []byte("of an attacker") }),
		Entry("with one key more", func(s *corev1.Secret) { s.Data["key-1"] = []byte("of an attacker") }),
		Entry("with another document", func(s *corev1.Secret) { s.Data["route.json"] = []byte("{}") }),
		Entry("without a document", func(s *corev1.Secret) { delete(s.Data, "route.json") }),
		Entry("with another path", func(s *corev1.Secret) { s.Annotations[route.AnnotationPath] = "/elsewhere" }),
		Entry("without its mark", func(s *corev1.Secret) { delete(s.Labels, route.LabelRoute) }),
		Entry("with the name of another endpoint", func(s *corev1.Secret) { s.Labels[route.LabelEndpointName] = "another" }),
	)

	It("is repaired for good: a route that was restored by somebody", func() {
		restored := now(routeSecret(endpoint))
		manager.stop()
		remove(routeSecret(endpoint))
		restored.ResourceVersion, restored.UID, restored.ManagedFields = "", "", nil
		create(restored)
		manager = startManager()
		// It is the manager's own again, and so it is remembered.
		Eventually(func() []metav1.ManagedFieldsEntry { return now(routeSecret(endpoint)).ManagedFields }).Should(HaveLen(2))
		rotate("battery staple")
		Eventually(keysOf(endpoint)).Should(Equal([]string{"battery staple", "correct horse"}))
	})

	It("is repaired: a route that was deleted", func() {
		remove(routeSecret(endpoint))
		Eventually(exists(routeSecret(endpoint))).Should(BeTrue())
		becomesReady(endpoint)
	})

	It("is repaired: a Service that was edited or deleted", func() {
		service := aliasOf(endpoint)
		change(service, func(s *corev1.Service) { s.Spec.ExternalName = "attacker.example.com" })
		Eventually(func(g Gomega) string { g.Expect(exists(service)(g)).To(BeTrue()); return service.Spec.ExternalName }).Should(Equal(receiverHost))

		change(service, func(s *corev1.Service) {
			s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Ports: []corev1.ServicePort{{Port: 80}}}
		})
		Eventually(func(g Gomega) corev1.ServiceType { g.Expect(exists(service)(g)).To(BeTrue()); return service.Spec.Type }).Should(Equal(corev1.ServiceTypeExternalName))

		remove(service)
		Eventually(exists(service)).Should(BeTrue())
		becomesReady(endpoint)
	})

	It("is not written again while nothing changes", func() {
		versions := func() []string {
			return []string{now(routeSecret(endpoint)).ResourceVersion, now(aliasOf(endpoint)).ResourceVersion, now(endpoint).ResourceVersion}
		}
		before := versions()

		By("reconciling it once more")
		reconciled := reconciliations()
		change(&corev1.Secret{ObjectMeta: aSecret("").ObjectMeta}, func(s *corev1.Secret) { s.Labels = map[string]string{"touched": "yes"} })
		change(aService("shop-api"), func(s *corev1.Service) { s.Labels = map[string]string{"touched": "yes"} })
		Eventually(reconciliations).Should(BeNumerically(">=", reconciled+1))
		Consistently(versions).Should(Equal(before))

		By("starting another manager")
		manager.stop()
		reconciled = reconciliations()
		manager = startManager()
		Eventually(reconciliations).Should(BeNumerically(">=", reconciled+1))
		Consistently(versions).Should(Equal(before))
		Expect(manager.sent.that(changing(namespace))).To(BeEmpty())
	})
})

var _ = Describe("A route whose endpoint was deleted while no manager ran", func() {
	It("is removed when one starts", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)

		manager.stop()
		remove(endpoint)
		Expect(exists(routeSecret(endpoint))(Default)).To(BeTrue())
		manager = startManager()
		Eventually(exists(routeSecret(endpoint))).Should(BeFalse())
	})
})

// reconciliations counts how often endpoints were reconciled without an error.
func reconciliations() float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	var sum float64
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if labels["controller"] == "webhookendpoint" && labels["result"] != "error" {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}
