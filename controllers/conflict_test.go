package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"sallyport.dev/sallyport/api/v1alpha1"
)

var _ = Describe("Two endpoints that claim one path", func() {
	var older, younger *v1alpha1.WebhookEndpoint
	BeforeEach(func() {
		inOrder()
		older, younger = anEndpoint("zebra", at("/pay")), anEndpoint("ant", at("/pay"))
		create(older)
		becomesReady(older)
		// The API server counts ages in seconds.
		Eventually(func() int64 { return time.Now().Unix() }).Should(BeNumerically(">", older.CreationTimestamp.Unix()))
		create(younger)
		Eventually(condition(younger, "Ready")).Should(Equal("False PathConflict"))
	})

	It("leave it to the oldest, and tell the other", func() {
		Expect(message(younger, "Accepted")(Default)).To(ContainSubstring(`belongs to the endpoint "zebra"`))
		Expect(now(younger).Status.URL).To(BeEmpty())
		Expect(exists(routeSecret(younger))(Default)).To(BeFalse())
		Expect(exists(aliasOf(younger))(Default)).To(BeFalse())
		Expect(condition(older, "Ready")(Default)).To(Equal("True Ready"))
	})

	It("change over when the oldest goes", func() {
		remove(older)
		becomesReady(younger)
		Expect(routeOf(younger)(Default).Path).To(Equal("/" + namespace + "/pay"))
	})

	It("change over when the oldest moves", func() {
		change(older, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Path = "/elsewhere" })
		becomesReady(younger)
		becomesReady(older)
	})

	It("are both served when the younger moves", func() {
		change(younger, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Path = "" })
		becomesReady(younger)
		Expect(now(younger).Status.URL).To(HaveSuffix("/ant"))
	})

	It("change over while the oldest waits for its finalizers", func() {
		change(older, func(e *v1alpha1.WebhookEndpoint) { e.Finalizers = []string{"example.com/held"} })
		DeferCleanup(func() { change(older, func(e *v1alpha1.WebhookEndpoint) { e.Finalizers = nil }) })
		remove(older)
		becomesReady(younger)
	})

	It("withdraw the route of one that comes to claim it", func() {
		third := anEndpoint("bee", at("/free"))
		create(third)
		becomesReady(third)
		change(third, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Path = "/pay" })
		Eventually(condition(third, "Ready")).Should(Equal("False PathConflict"))
		Eventually(exists(routeSecret(third))).Should(BeFalse())
	})
})
