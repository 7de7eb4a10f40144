package controllers_test

import (
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// withGrace says how long a previous secret stays valid.
func withGrace(d time.Duration) func(*v1alpha1.WebhookEndpointSpec) {
	return func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.SecretRotation = &v1alpha1.SecretRotationSpec{Grace: &metav1.Duration{Duration: d}}
	}
}

// rotate edits the Secret.
func rotate(to string) {
	GinkgoHelper()
	change(theSecret(), func(s *corev1.Secret) { s.Data["secret"] = []byte(to) })
}

func theSecret() *corev1.Secret { return &corev1.Secret{ObjectMeta: aSecret("").ObjectMeta} }

// touched lets everything that uses the Secret be reconciled.
func touched() {
	GinkgoHelper()
	reconciled := reconciliations()
	change(theSecret(), func(s *corev1.Secret) { s.Labels = map[string]string{"touched": fmt.Sprint(reconciled)} })
	Eventually(reconciliations).Should(BeNumerically(">", reconciled))
}

// rotationOf reads what the status says of the change to a new secret.
func rotationOf(endpoint *v1alpha1.WebhookEndpoint) func() *v1alpha1.SecretRotationStatus {
	return func() *v1alpha1.SecretRotationStatus { return now(endpoint).Status.SecretRotation }
}

var _ = Describe("A new secret", func() {
	var endpoint *v1alpha1.WebhookEndpoint
	begin := func(details ...func(*v1alpha1.WebhookEndpointSpec)) {
		GinkgoHelper()
		inOrder()
		endpoint = anEndpoint("orders", details...)
		create(endpoint)
		becomesReady(endpoint)
		Expect(rotationOf(endpoint)()).To(BeNil())
	}

	It("leaves the old one valid for a day", func() {
		begin()
		edited := time.Now()
		rotate("battery staple")
		Eventually(keysOf(endpoint)).Should(Equal([]string{"battery staple", "correct horse"}))
		becomesReady(endpoint)

		old := routeOf(endpoint)(Default).Keys[1]
		Expect(*old.NotAfter).To(BeTemporally("~", edited.Add(24*time.Hour), 2*time.Second))
		Eventually(rotationOf(endpoint)).ShouldNot(BeNil())
		status := rotationOf(endpoint)()
		Expect(status.StartTime.Time).To(BeTemporally("~", edited, 2*time.Second))
		Expect(status.PreviousExpirationTime.Time).To(BeTemporally("==", *old.NotAfter))
		Expect(status.CurrentFirstUsedTime).To(BeNil())
		Expect(status.PreviousLastUsedTime).To(BeNil())

		By("a second before the end")
		clock.forward(24*time.Hour - 3*time.Second)
		touched()
		Consistently(keysOf(endpoint), "100ms").Should(HaveLen(2))

		By("the end, which is no event")
		Eventually(keysOf(endpoint)).Should(Equal([]string{"battery staple"}))
		Eventually(rotationOf(endpoint)).Should(BeNil())
	})

	It("takes the place of the old one at once without grace", func() {
		begin(withGrace(0))
		rotate("battery staple")
		Eventually(keysOf(endpoint)).Should(Equal([]string{"battery staple"}))
		Expect(rotationOf(endpoint)()).To(BeNil())
	})

	It("revokes the old one when the grace is taken away", func() {
		begin()
		rotate("battery staple")
		Eventually(keysOf(endpoint)).Should(HaveLen(2))
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { withGrace(0)(&e.Spec) })
		Eventually(keysOf(endpoint)).Should(Equal([]string{"battery staple"}))
		Eventually(rotationOf(endpoint)).Should(BeNil())
	})

	It("is remembered by the next one however fast that comes", func() {
		begin()
		// As soon as the API server has a route, and maybe before the manager hears
		// of it, comes the next secret.
		for i := range 20 {
			rotate(fmt.Sprintf("secret %d", i))
			Eventually(keyOf(endpoint), "10s", "1ms").Should(Equal(fmt.Sprintf("secret %d", i)))
		}
		Expect(keysOf(endpoint)(Default)).To(Equal([]string{"secret 19", "secret 18", "secret 17", "secret 16", "secret 15"}))
	})

	It("is not published over a route that the manager doesn't know", func() {
		begin()
		answer := manager.sent.beforeNext("/"+routeSecret(endpoint).Name, func() {
			change(routeSecret(endpoint), func(s *corev1.Secret) { s.Labels["touched"] = "yes" })
		})
		rotate("battery staple")
		Eventually(answer).Should(Receive(Equal(http.StatusConflict)))
		Eventually(keysOf(endpoint)).Should(Equal([]string{"battery staple", "correct horse"}))
		becomesReady(endpoint)
	})

	It("is forgotten with the Secret", func() {
		begin()
		rotate("battery staple")
		Eventually(keysOf(endpoint)).Should(HaveLen(2))
		remove(theSecret())
		Eventually(keysOf(endpoint)).Should(BeEmpty())
		Eventually(rotationOf(endpoint)).Should(BeNil())
		create(aSecret("third"))
		Eventually(keysOf(endpoint)).Should(Equal([]string{"third"}))
	})

	It("survives the manager", func() {
		begin()
		rotate("battery staple")
		Eventually(keysOf(endpoint)).Should(HaveLen(2))
		Eventually(rotationOf(endpoint)).ShouldNot(BeNil())
		route, status := now(routeSecret(endpoint)).ResourceVersion, rotationOf(endpoint)()

		manager.stop()
		manager = startManager()
		touched()
		Expect(now(routeSecret(endpoint)).ResourceVersion).To(Equal(route))
		Expect(rotationOf(endpoint)()).To(Equal(status))
	})

	It("may be one of several", func() {
		begin()
		rotate(`["battery staple", "correct horse"]`)
		Eventually(keysOf(endpoint)).Should(Equal([]string{"battery staple", "correct horse"}))
		Expect(routeOf(endpoint)(Default).Keys[1].NotAfter).To(BeNil())
		Expect(rotationOf(endpoint)()).To(BeNil())
	})

	It("is not written again while nothing changes", func() {
		begin()
		rotate("battery staple")
		Eventually(keysOf(endpoint)).Should(HaveLen(2))
		Eventually(rotationOf(endpoint)).ShouldNot(BeNil())
		becomesReady(endpoint)
		versions := func() []string {
			return []string{now(routeSecret(endpoint)).ResourceVersion, now(endpoint).ResourceVersion}
		}
		before := versions()
		clock.forward(10 * time.Minute)
		for range 3 {
			touched()
		}
		Consistently(versions).Should(Equal(before))
	})
})

var _ = Describe("The use of secrets", func() {
	It("is told by the receivers and summed up in the status", func() {
		inOrder()
		receiver("a").serves(everything)
		receiver("b").serves(everything)
		endpoint, witness := anEndpoint("orders"), anEndpoint("witness")
		create(endpoint, witness)
		becomesReady(endpoint)
		becomesReady(witness)
		rotate("battery staple")
		Eventually(rotationOf(endpoint)).ShouldNot(BeNil())
		Eventually(rotationOf(witness)).ShouldNot(BeNil())
		ends := rotationOf(endpoint)().PreviousExpirationTime.Unix()
		at := func(seconds int64) *metav1.Time { return new(metav1.Unix(seconds, 0)) }
		minute := time.Now().Truncate(time.Minute).Unix()

		By("one receiver")
		receiver("a").sees(endpoint, route.KeyUse{PreviousEnds: ends, PreviousLast: minute})
		Eventually(func() *metav1.Time { return rotationOf(endpoint)().PreviousLastUsedTime }).Should(Equal(at(minute)))
		Expect(rotationOf(endpoint)().CurrentFirstUsedTime).To(BeNil())

		By("another receiver")
		receiver("b").sees(endpoint, route.KeyUse{PreviousEnds: ends, PreviousLast: minute + 60, CurrentFirst: minute + 70})
		Eventually(func() *metav1.Time { return rotationOf(endpoint)().CurrentFirstUsedTime }).Should(Equal(at(minute + 70)))
		Expect(rotationOf(endpoint)().PreviousLastUsedTime).To(Equal(at(minute + 60)))

		By("the first that used the new secret counts")
		receiver("a").sees(endpoint, route.KeyUse{PreviousEnds: ends, PreviousLast: minute, CurrentFirst: minute + 65})
		Eventually(func() *metav1.Time { return rotationOf(endpoint)().CurrentFirstUsedTime }).Should(Equal(at(minute + 65)))
		Expect(rotationOf(endpoint)().PreviousLastUsedTime).To(Equal(at(minute + 60)))

		By("what was said stays when receivers go")
		version := now(endpoint).ResourceVersion
		receiver("a").leaves()
		receiver("b").leaves()
		touched()
		Consistently(func() string { return now(endpoint).ResourceVersion }).Should(Equal(version))

		By("of another rotation nothing is taken over")
		receiver("c").serves(everything)
		receiver("c").sees(endpoint, route.KeyUse{PreviousEnds: ends - 1, CurrentFirst: 1})
		touched()
		Consistently(func() *metav1.Time { return rotationOf(endpoint)().CurrentFirstUsedTime }, "100ms").Should(Equal(at(minute + 65)))

		Expect(rotationOf(witness)().CurrentFirstUsedTime).To(BeNil())
	})
})
