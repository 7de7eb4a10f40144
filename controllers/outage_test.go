package controllers_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/receiver/route"
)

var _ = Describe("An outage of the store", func() {
	// said are the notes of the Events on the Lease of a receiver.
	said := func(r receiver) func(Gomega) []string {
		return func(g Gomega) (notes []string) {
			var list eventsv1.EventList
			g.Expect(cluster.List(ctx, &list, client.InNamespace(routeNamespace))).To(Succeed())
			for _, e := range list.Items {
				if e.Regarding.Kind == "Lease" && e.Regarding.Name == r.lease().Name {
					notes = append(notes, e.Type+" "+e.Reason+" "+e.Note)
				}
			}
			return notes
		}
	}

	It("is told at once by an Event, and by Ready when it has lasted for a minute", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)
		r, since := receiver("all-knowing"), time.Now()
		at := since.UTC().Format(time.RFC3339)

		r.finds(route.StoreAway, since)
		Eventually(said(r)).Should(ContainElement("Warning StoreAway The receiver all-knowing can't reach Redis since " + at + ": senders get 503."))
		writes := func() []string { return manager.sent.that(changing("/webhookendpoints/orders/status")) }
		before := len(writes())
		Consistently(condition(endpoint, "Ready")).Should(Equal("True Ready"))

		clock.forward(time.Minute)
		r.finds(route.StoreAway, since)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False StoreUnavailable"))
		Expect(message(endpoint, "Ready")(Default)).To(Equal("The receivers can't reach Redis since " + at + ": senders get 503 and are asked to come again."))
		Expect(condition(endpoint, "Programmed")(Default)).To(Equal("True Programmed"))
		r.finds(route.StoreAway, since)
		Consistently(func() int { return len(writes()) - before }).Should(Equal(1))

		r.finds(route.StoreUp, time.Now())
		becomesReady(endpoint)
		Expect(len(writes()) - before).To(Equal(2))
		Eventually(said(r)).Should(ContainElement(HavePrefix("Normal StoreUp ")))
	})

	It("is none while one receiver can store events", func() {
		inOrder()
		receiver("cut-off").serves(everything)
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)
		since := time.Now().Add(-time.Hour)
		receiver("all-knowing").finds(route.StoreUp, since)
		receiver("cut-off").finds(route.StoreFull, since)
		Eventually(said("cut-off")).Should(ContainElement(HavePrefix("Warning StoreFull ")))
		Consistently(condition(endpoint, "Ready")).Should(Equal("True Ready"))

		By("going")
		receiver("all-knowing").leaves()
		clock.forward(time.Minute)
		receiver("cut-off").finds(route.StoreFull, since)
		Eventually(message(endpoint, "Ready")).Should(HavePrefix("Redis is full since " + since.UTC().Format(time.RFC3339)))
		Expect(strings.Fields(condition(endpoint, "Ready")(Default))).To(ContainElement("StoreUnavailable"))
	})
})
