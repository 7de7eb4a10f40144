package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// routing leads events that an expression holds for to a Service.
func routing(name, expression, service string) func(*v1alpha1.WebhookEndpointSpec) {
	return func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Routes = append(spec.Routes, v1alpha1.EventRoute{
			Name: name, Match: &v1alpha1.EventMatch{Expression: expression},
			Target: v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: service, Port: intstr.FromInt32(8080)}},
		})
	}
}

var _ = Describe("The routes of an endpoint", func() {
	BeforeEach(inOrder)

	It("are refused with the place of the mistake, and fail closed", func() {
		endpoint := anEndpoint("orders", routing("paid", "event.type == 'paid' &&\n  body.amount > 0", "shop-api"))
		create(endpoint)
		Eventually(condition(endpoint, "Accepted")).Should(Equal("False InvalidRoute"))
		Expect(message(endpoint, "Accepted")(Default)).To(HavePrefix("routes[paid].match.expression: 2:3: undeclared reference to 'body'"))
		Expect(condition(endpoint, "ResolvedRefs")(Default)).To(Equal("True ResolvedRefs"))
		Expect(condition(endpoint, "Ready")(Default)).To(Equal("False InvalidRoute"))
		Expect(routeOf(endpoint)(Default).Unavailable).To(ContainSubstring("undeclared reference"))

		By("putting it right")
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Routes[0].Match.Expression = "event.body.amount > 0" })
		becomesReady(endpoint)
		Expect(routeOf(endpoint)(Default).Unavailable).To(BeEmpty())
	})

	It("may lead to Services that come later, while events are accepted", func() {
		endpoint := anEndpoint("orders", routing("paid", "true", "invoicing"), routing("all", "true", "shop-api"))
		create(endpoint)
		Eventually(condition(endpoint, "Ready")).Should(Equal("False TargetNotFound"))
		Expect(message(endpoint, "Ready")(Default)).To(ContainSubstring(`no Service "invoicing"`))
		made := routeOf(endpoint)(Default)
		Expect(made.Unavailable).To(BeEmpty())
		Expect(made.Target.Unresolved).To(BeEmpty())
		Expect(made.Routes).To(HaveLen(2))
		Expect(made.Routes[0].Target.Unresolved).To(ContainSubstring("kept until it appears"))
		Expect(made.Routes[1].Target.Unresolved).To(BeEmpty())

		By("coming")
		create(aService("invoicing"))
		becomesReady(endpoint)
		Expect(routeOf(endpoint)(Default).Routes[0].Target.Unresolved).To(BeEmpty())
	})

	It("may be all that there is", func() {
		endpoint := anEndpoint("orders", routing("paid", "event.type == 'paid'", "shop-api"))
		endpoint.Spec.Target = nil
		create(endpoint)
		becomesReady(endpoint)
		made := routeOf(endpoint)(Default)
		Expect(made.HasTarget()).To(BeFalse())
		Expect(made.Routes[0].Match.Expression).To(Equal("event.type == 'paid'"))
	})
})
