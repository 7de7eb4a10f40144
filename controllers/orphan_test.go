package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"sallyport.dev/sallyport/receiver/route"
)

// A route holds secrets, so none may stay behind when nobody looks for it any more.
var _ = Describe("A route whose mark somebody took", func() {
	It("goes with its endpoint, also while no manager is there", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)
		manager.stop()
		change(routeSecret(endpoint), func(s *corev1.Secret) { delete(s.Labels, route.LabelRoute) })
		remove(endpoint)
		manager = startManager()
		Eventually(exists(routeSecret(endpoint))).Should(BeFalse())
	})
})
