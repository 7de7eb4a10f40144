package controllers_test

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers"
)

// verified reads the condition of a provider that speaks of its current generation.
func verified(provider *v1alpha1.WebhookProvider) func(Gomega) metav1.Condition {
	return func(g Gomega) metav1.Condition {
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(provider), provider)).To(Succeed())
		c := meta.FindStatusCondition(provider.Status.Conditions, "Verified")
		g.Expect(c).NotTo(BeNil())
		g.Expect(c.ObservedGeneration).To(Equal(provider.Generation))
		g.Expect(provider.Status.ObservedGeneration).To(Equal(provider.Generation))
		return metav1.Condition{Status: c.Status, Reason: c.Reason, Message: c.Message}
	}
}

var inOrderThen = metav1.Condition{Status: metav1.ConditionTrue, Reason: "Verified", Message: "Every example comes out as stated."}

var _ = Describe("A provider", func() {
	var provider *v1alpha1.WebhookProvider
	BeforeEach(func() {
		provider = aProvider("own-" + namespace)
		DeferCleanup(func() { Expect(client.IgnoreNotFound(cluster.Delete(ctx, provider))).To(Succeed()) })
	})

	It("proves itself, and says what it leaves open", func() {
		create(provider)
		Eventually(verified(provider)).Should(Equal(inOrderThen))
		Expect(provider.Status.Unauthenticated).To(ConsistOf(HavePrefix("token: the body and all headers")))
	})

	It("is told no more than its status can hold", func() {
		provider.Spec.Verify = []v1alpha1.SignatureScheme{{
			Name: "v1", Algorithm: "HMAC-SHA256", Content: "{body}",
			Signature: v1alpha1.SignatureFormat{From: []v1alpha1.RequestLocation{{Header: "X-Signature"}}, Encoding: "Hex"},
		}}
		for _, letter := range []string{"A", "B", "C", "D", "E"} {
			provider.Spec.Identity.Type = append(provider.Spec.Identity.Type, v1alpha1.IdentityTemplate("{header:X-"+strings.Repeat(letter, 250)+"}"))
		}
		unsigned(provider)
		create(provider)
		Eventually(verified(provider)).Should(Equal(inOrderThen))
		Expect(provider.Status.Unauthenticated).To(ConsistOf(SatisfyAll(
			HavePrefix("v1: the event id"), ContainSubstring("X-Cccc"), HaveSuffix("..."), HaveLen(1024))))
	})

	It("is told which of its examples fails first", func() {
		failing(provider)
		create(provider)
		Eventually(verified(provider)).Should(And(
			HaveField("Status", metav1.ConditionFalse),
			HaveField("Reason", "ExampleFailed"),
			HaveField("Message", HavePrefix(`The example "a wrong token" fails: it should be accepted, and it is rejected`)),
		))

		change(provider, func(p *v1alpha1.WebhookProvider) { p.Spec.Tests = aProvider("").Spec.Tests })
		Eventually(verified(provider)).Should(Equal(inOrderThen))
	})

	It("is told what of it can't be understood", func() {
		provider.Spec.Identity.ID = []v1alpha1.IdentityTemplate{"{header:"}
		create(provider)
		Eventually(verified(provider)).Should(And(
			HaveField("Status", metav1.ConditionFalse),
			HaveField("Reason", "InvalidScheme"),
			HaveField("Message", ContainSubstring("identity.id[0]")),
		))
	})

	It("is not written to while nothing changes", func() {
		create(provider)
		Eventually(verified(provider)).Should(Equal(inOrderThen))
		version := provider.ResourceVersion
		manager.stop()
		manager = startManager()
		witness := aProvider("witness-" + namespace)
		create(witness)
		DeferCleanup(func() { remove(witness) })
		Eventually(verified(witness)).Should(Equal(inOrderThen))
		Consistently(func() string { return now(provider).ResourceVersion }).Should(Equal(version))
		Expect(manager.sent.that(changing(provider.Name + "/status"))).To(BeEmpty())
	})
})

var _ = Describe("A preset", func() {
	var preset *v1alpha1.WebhookProvider
	BeforeEach(func() {
		preset = aProvider("till")
		DeferCleanup(func() { // the next spec finds it as it was
			_ = cluster.Delete(ctx, aProvider("till"))
			manager.stop()
			manager = startManager()
			Eventually(exists(aProvider("till"))).Should(BeTrue())
		})
	})

	It("is put into the cluster, where it proves itself", func() {
		Eventually(verified(preset)).Should(Equal(inOrderThen))
		Expect(preset.Labels).To(HaveKeyWithValue(controllers.LabelPreset, "true"))
		Expect(preset.Labels).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "sallyport"))
	})

	It("stays as somebody has edited it", func() {
		inOrder()
		endpoint := anEndpoint("orders")
		create(endpoint)
		change(preset, func(p *v1alpha1.WebhookProvider) {
			p.Spec.Verify[0].Signature.From[0].Header = "X-Shop-Token"
			for i := range p.Spec.Tests {
				p.Spec.Tests[i].Request.Headers[0].Name = "X-Shop-Token"
			}
		})
		header := func(g Gomega) string { return routeOf(endpoint)(g).Provider.Schemes[0].Signature.From[0].Header }
		Eventually(header).Should(Equal("X-Shop-Token"))

		manager.stop()
		manager = startManager()
		witness := anEndpoint("witness")
		create(witness)
		becomesReady(witness)
		Consistently(func() string { return now(preset).Spec.Verify[0].Signature.From[0].Header }).Should(Equal("X-Shop-Token"))
		Expect(header(Default)).To(Equal("X-Shop-Token"))
	})

	It("is written again only when it has changed", func() {
		inOrder()
		Eventually(verified(preset)).Should(Equal(inOrderThen))
		written := func(r *http.Request) bool {
			return changes(r) && strings.HasSuffix(r.URL.Path, "/webhookproviders/till")
		}
		manager.stop()
		manager = startManager()
		witness := anEndpoint("witness")
		create(witness)
		becomesReady(witness)
		Consistently(func() []string { return manager.sent.that(written) }, "300ms").Should(BeEmpty())

		change(preset, func(p *v1alpha1.WebhookProvider) {
			p.Annotations[controllers.AnnotationPresetDigest] = "of an older version"
		})
		manager.stop()
		manager = startManager()
		Eventually(func() []string { return manager.sent.that(written) }).ShouldNot(BeEmpty())
	})

	It("serves although somebody has deleted it", func() {
		inOrder()
		Expect(client.IgnoreNotFound(cluster.Delete(ctx, preset))).To(Succeed())
		endpoint := anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)
		Expect(exists(aProvider("till"))(Default)).To(BeFalse())
	})

	It("comes back when a manager starts", func() {
		Expect(client.IgnoreNotFound(cluster.Delete(ctx, preset))).To(Succeed())
		manager.stop()
		manager = startManager()
		Eventually(exists(aProvider("till"))).Should(BeTrue())
	})
})
