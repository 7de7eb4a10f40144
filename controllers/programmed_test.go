package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"sallyport.dev/sallyport/api/v1alpha1"
)

var _ = Describe("Programmed", func() {
	var endpoint *v1alpha1.WebhookEndpoint
	BeforeEach(func() {
		create(aSecret("correct horse"), aService("shop-api"))
		endpoint = anEndpoint("orders")
	})

	It("waits for every receiver", func() {
		receiver("a").serves("1")
		receiver("b").serves(everything)
		receiver("c").serves("2")
		create(endpoint)
		Eventually(condition(endpoint, "Programmed")).Should(Equal("False Pending"))
		Expect(message(endpoint, "Programmed")(Default)).To(Equal("Waiting for receivers to serve the current route: a, c."))

		receiver("a").serves(now(routeSecret(endpoint)).ResourceVersion)
		Eventually(message(endpoint, "Programmed")).Should(HaveSuffix(": c."))
		Expect(condition(endpoint, "Ready")(Default)).To(Equal("False Pending"))

		receiver("c").serves(now(routeSecret(endpoint)).ResourceVersion)
		becomesReady(endpoint)
	})

	It("waits again after each change", func() {
		receiver("a").serves("1")
		create(endpoint)
		Eventually(condition(endpoint, "Programmed")).Should(Equal("False Pending"))
		first := now(routeSecret(endpoint)).ResourceVersion
		receiver("a").serves(first)
		becomesReady(endpoint)

		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Path = "/pay" })
		Eventually(condition(endpoint, "Programmed")).Should(Equal("False Pending"))
		Expect(now(routeSecret(endpoint)).ResourceVersion).NotTo(Equal(first))
		receiver("a").serves(now(routeSecret(endpoint)).ResourceVersion)
		becomesReady(endpoint)
	})

	It("is false without receivers", func() {
		create(endpoint)
		Eventually(condition(endpoint, "Programmed")).Should(Equal("False NoReceivers"))
		receiver("a").serves(everything)
		becomesReady(endpoint)
		receiver("a").leaves()
		Eventually(condition(endpoint, "Ready")).Should(Equal("False NoReceivers"))
	})

	It("does not wait for the dead", func() {
		receiver("dead").tells("1", time.Now().Add(-time.Hour), time.Minute)
		create(endpoint)
		Eventually(condition(endpoint, "Programmed")).Should(Equal("False NoReceivers"))
		receiver("alive").serves(everything)
		becomesReady(endpoint)

		By("coming back")
		receiver("dead").serves("1")
		Eventually(message(endpoint, "Programmed")).Should(HaveSuffix(": dead."))
	})

	It("waits for one whose clock is behind, as long as it renews its Lease", func() {
		receiver("alive").serves(everything)
		anHourAgo := time.Now().Add(-time.Hour)
		receiver("behind").tells("1", anHourAgo, 2*time.Second)
		create(endpoint)
		becomesReady(endpoint)
		receiver("behind").tells("1", anHourAgo.Add(time.Second), 2*time.Second)
		Eventually(message(endpoint, "Programmed")).Should(HaveSuffix(": behind."))
		becomesReady(endpoint) // when it falls silent
	})

	It("does not wait for one that shuts down", func() {
		receiver("slow").serves("1")
		receiver("fast").serves(everything)
		create(endpoint)
		Eventually(message(endpoint, "Programmed")).Should(HaveSuffix(": slow."))
		receiver("slow").leaves()
		becomesReady(endpoint)
	})

	It("does not wait for one that falls silent", func() {
		receiver("alive").serves(everything)
		receiver("crashing").tells("1", time.Now(), time.Second)
		create(endpoint)
		becomesReady(endpoint)
	})

	It("notices that the last one has fallen silent", func() {
		receiver("crashing").tells(everything, time.Now(), 2*time.Second)
		create(endpoint)
		becomesReady(endpoint)
		Eventually(condition(endpoint, "Programmed")).Should(Equal("False NoReceivers"))
	})
})
