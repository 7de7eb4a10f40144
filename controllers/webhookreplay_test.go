package controllers_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

var _ = Describe("A replay", func() {
	BeforeEach(func() {
		create(anEndpoint("orders"))
		graves.meddle(nil, nil)
		DeferCleanup(func() {
			Expect(cluster.DeleteAllOf(ctx, &v1alpha1.WebhookReplay{}, client.InNamespace(namespace))).To(Succeed())
		})
	})

	It("hands dead letters over, and tells everybody", func() {
		before := replayedTotal()
		graves.die("orders", someEvents(12)...)
		graves.die("refunds", anEvent("of another endpoint"))
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 12 matched, 12 replayed, 0 failed"))
		Expect(replayMessage(replay)).To(Equal("12 of 12 dead letters are delivered again."))
		Expect(graves.dead("orders")(Default)).To(BeEmpty())
		Expect(graves.dead("refunds")(Default)).To(HaveLen(1))

		By("its status")
		done := now(replay).Status
		Expect(done.StartTime.Time).To(BeTemporally("<=", done.CompletionTime.Time))
		Expect(done.Cursor).To(BeEmpty())
		Expect(done.Conditions).To(HaveLen(1), "what is over is neither going on nor stuck")
		Expect(replayedTotal() - before).To(BeEquivalentTo(12))

		By("an audit record of each")
		told := graves.records.of("orders")
		Expect(told).To(HaveLen(12))
		Expect(told[0].EventID).NotTo(BeEmpty())
		want := audit.Record{
			Endpoint: namespace + "/orders", EndpointUID: string(now(anEndpoint("orders")).UID), Provider: "till", EventType: "order.paid",
			SignatureVerified: true, RequestID: "request of " + told[0].EventID, Status: audit.Replayed,
			ErrorMessage: "replayed by WebhookReplay " + namespace + "/again", BodyBytes: 2, Target: namespace + "/shop-api:8080",
			EventID: told[0].EventID, Time: told[0].Time, ReceivedAt: told[0].ReceivedAt,
		}
		Expect(told[0]).To(Equal(want))

		By("an Event")
		Eventually(eventsOf(replay)).Should(ConsistOf("Normal Replayed: 12 of 12 dead letters are delivered again."))
	})

	It("has nothing to do where nothing is dead", func() {
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 0 matched, 0 replayed, 0 failed"))
		Expect(replayMessage(replay)).To(Equal("There is no dead letter that matches."))
	})

	DescribeTable("means what its selector says",
		func(stay []string, details ...func(*v1alpha1.ReplaySelector)) {
			noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			graves.die("orders",
				anEvent("morning", receivedAt(noon.Add(-time.Second)), ofType("order.paid")),
				anEvent("noon", receivedAt(noon), ofType("order.paid")),
				anEvent("refund", receivedAt(noon.Add(time.Minute)), ofType("refund.made")),
				anEvent("evening", receivedAt(noon.Add(time.Hour)), ofType("order.shipped")))
			replay := aReplay("again", "orders", details...)
			create(replay)
			n := 4 - len(stay)
			Eventually(replayStatus(replay)).Should(Equal(fmt.Sprintf("True Replayed: %d matched, %d replayed, 0 failed", n, n)))
			Expect(graves.dead("orders")(Default)).To(ConsistOf(stay))
		},
		Entry("all, with nothing in it", nil, func(s *v1alpha1.ReplaySelector) {}),
		Entry("since, inclusive", []string{"morning"}, receivedSince("2026-03-01T12:00:00Z")),
		Entry("until, exclusive", []string{"refund", "evening"}, receivedUntil("2026-03-01T12:01:00Z")),
		Entry("types", []string{"refund"}, ofTypes("order.*")),
		Entry("one of several types", []string{"morning", "noon"}, ofTypes("*.shipped", "refund.made")),
		Entry("ids", []string{"morning", "evening"}, withIDs("noon", "refund", "nobody's")),
		Entry("all of it together", []string{"morning", "refund", "evening"}, receivedSince("2026-03-01T12:00:00Z"), receivedUntil("2026-03-01T13:00:00Z"), ofTypes("order.*"), withIDs("morning", "noon", "refund")),
	)

	It("stops at its limit", func() {
		graves.die("orders", someEvents(9)...)
		for _, left := range []int{6, 3, 0} {
			replay := aReplay(fmt.Sprintf("until-%d", left), "orders", atMost(3))
			create(replay)
			Eventually(replayStatus(replay)).Should(Equal("True Replayed: 3 matched, 3 replayed, 0 failed"))
			Expect(graves.dead("orders")(Default)).To(HaveLen(left))
		}
	})

	It("runs once, whatever happens later", func() {
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(HavePrefix("True Replayed"))
		version := now(replay).Status

		By("being applied again, in the same words and with a label")
		graves.die("orders", anEvent("later"))
		change(replay, func(r *v1alpha1.WebhookReplay) { r.Labels = map[string]string{"applied": "again"} })
		By("another manager")
		manager.stop()
		manager = startManager()
		Consistently(graves.dead("orders")).Should(ConsistOf("later"))
		Expect(now(replay).Status).To(Equal(version))
		Expect(manager.sent.that(changing("/webhookreplays/"))).To(BeEmpty())

		By("being deleted and made again")
		remove(replay)
		replay = aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 1 matched, 1 replayed, 0 failed"))
	})

	It("does not mean what dies after its start", func() {
		graves.die("orders", someEvents(500)...)
		meanwhile := make([]*store.Event, 20)
		for i := range meanwhile {
			meanwhile[i] = anEvent(fmt.Sprintf("died meanwhile %d", i))
		}
		graves.meddle(nil, func(total int) {
			if total == 1 {
				defer GinkgoRecover() // the manager's goroutine runs this
				graves.die("orders", meanwhile...)
			}
		})
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 500 matched, 500 replayed, 0 failed"))
		Expect(graves.dead("orders")(Default)).To(HaveLen(20))
	})

	It("waits for its endpoint", func() {
		graves.die("late", someEvents(2)...)
		replay := aReplay("again", "late")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("False EndpointNotFound: 0 matched, 0 replayed, 0 failed"))
		Expect(health(replay)).To(Equal(status.FailedStatus))
		Expect(graves.dead("late")(Default)).To(HaveLen(2))
		create(anEndpoint("late"))
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 2 matched, 2 replayed, 0 failed"))
		Expect(health(replay)).To(Equal(status.CurrentStatus))
	})

	It("is left to the manager of its endpoint", func() {
		foreign := anEndpoint("foreign", func(spec *v1alpha1.WebhookEndpointSpec) { spec.ClassName = "other" })
		create(foreign)
		graves.die("foreign", someEvents(1)...)
		replay := aReplay("again", "foreign")
		create(replay)
		Consistently(func() []metav1.Condition { return now(replay).Status.Conditions }).Should(BeEmpty())
		Expect(health(replay)).To(Equal(status.InProgressStatus), "nobody has seen it")
		change(foreign, func(e *v1alpha1.WebhookEndpoint) { e.Spec.ClassName = "" })
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 1 matched, 1 replayed, 0 failed"))
	})

	It("says that the manager doesn't know Redis, and runs when it does", func() {
		graves.die("orders", someEvents(1)...)
		manager.stop()
		manager = startManager(func(o *controllers.Options) { o.DeadLetters = nil })
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("False RedisNotConfigured: 0 matched, 0 replayed, 0 failed"))
		Expect(replayMessage(replay)).To(ContainSubstring("--redis-url"))
		Expect(health(replay)).To(Equal(status.FailedStatus))
		manager.stop()
		manager = startManager()
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 1 matched, 1 replayed, 0 failed"))
	})

	It("waits while Redis is away, and goes on", func() {
		graves.die("orders", someEvents(3)...)
		graves.redis.Kill()
		DeferCleanup(graves.redis.Restart)
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("False RedisUnavailable: 0 matched, 0 replayed, 0 failed"))
		Expect(health(replay)).To(Equal(status.InProgressStatus))
		graves.redis.Restart()
		Eventually(replayStatus(replay), time.Minute).Should(Equal("True Replayed: 3 matched, 3 replayed, 0 failed"))
	})

	It("goes on where it was when Redis goes in the middle", func() {
		graves.die("orders", someEvents(1000)...)
		var once atomic.Bool
		graves.meddle(nil, func(total int) {
			if total >= 300 && once.CompareAndSwap(false, true) {
				graves.redis.Kill()
			}
		})
		DeferCleanup(graves.redis.Restart)
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(HavePrefix("False RedisUnavailable: "))
		graves.redis.Restart()
		Eventually(replayStatus(replay), time.Minute).Should(HavePrefix("True Replayed: "))
		Expect(graves.dead("orders")(Default)).To(BeEmpty())
		for id, times := range graves.timesRevived("orders") {
			Expect(times).To(Equal(1), id)
		}
	})

	It("revives nothing twice when a manager dies before it could tell", func() {
		graves.die("orders", someEvents(5)...)
		isStatus := changing(namespace + "/webhookreplays/again/status")
		graves.meddle(nil, func(total int) {
			if total == 5 {
				manager.sent.refuse(isStatus) // it is about to tell
			}
		})
		replay := aReplay("again", "orders")
		create(replay)
		DeferCleanup(func() { manager.sent.refuse(nil) })
		Eventually(func() int { return len(manager.sent.that(isStatus)) }).Should(BeNumerically(">=", 2), "the start, and what is refused")
		Expect(now(replay).Status.CompletionTime).To(BeNil())
		manager.stop()

		manager = startManager()
		Eventually(replayStatus(replay)).Should(HavePrefix("True Replayed: 0 matched"), "what was not told is not known")
		Expect(graves.records.of("orders")).To(HaveLen(5), "but to the audit")
		Expect(graves.timesRevived("orders")).To(Equal(map[string]int{"0": 1, "1": 1, "2": 1, "3": 1, "4": 1}))
	})

	DescribeTable("begins again when its cursor is spoilt",
		func(cursor string) {
			graves.die("late", someEvents(3)...)
			replay := aReplay("again", "late")
			create(replay)
			Eventually(replayStatus(replay)).Should(HavePrefix("False EndpointNotFound"))
			later := time.Now().Add(time.Minute)
			spoilt := now(replay)
			spoilt.Status.StartTime = new(metav1.NewTime(later))
			spoilt.Status.Cursor = strings.ReplaceAll(cursor, "LATER", fmt.Sprint(later.UnixMilli()))
			Expect(cluster.Status().Update(ctx, spoilt)).To(Succeed())
			create(anEndpoint("late"))
			Eventually(replayStatus(replay)).Should(Equal("True Replayed: 3 matched, 3 replayed, 0 failed"))
		},
		Entry("without a time", "nonsense"),
		Entry("with a place that is none", "LATER/nonsense"),
		Entry("empty", ""),
	)

	It("hands over the delivery to each target that failed, within its limit", func() {
		create(anEndpoint("routed", func(spec *v1alpha1.WebhookEndpointSpec) {
			spec.Routes = []v1alpha1.EventRoute{{Name: "audit", Target: v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: "audit-api", Port: intstr.FromString("http")}}}}
		}))
		event := anEvent("one")
		event.Endpoint, event.Provider, event.Method, event.ReceivedAt = namespace+"/routed", "till", "POST", time.Now()
		Expect(graves.dieOne(event, "", "audit", "a route of former times")).To(Succeed())
		replay := aReplay("two", "routed", withIDs("one"), atMost(2))
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 2 matched, 2 replayed, 0 failed"))
		Expect(graves.dead("routed")(Default)).To(ConsistOf("one"))
		replay = aReplay("the-rest", "routed", withIDs("one"))
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 1 matched, 1 replayed, 0 failed"))
		var targets []string
		for _, record := range graves.records.of("routed") {
			targets = append(targets, record.Target)
		}
		Expect(targets).To(ConsistOf(namespace+"/shop-api:8080", namespace+"/audit-api:http", ""))
	})

	It("does not lose counts when somebody edits it meanwhile", func() {
		graves.die("orders", someEvents(5)...)
		replay := aReplay("again", "orders")
		graves.meddle(nil, func(total int) {
			if total == 5 {
				defer GinkgoRecover() // the manager's goroutine runs this
				change(aReplay("again", "orders"), func(r *v1alpha1.WebhookReplay) { r.Labels = map[string]string{"seen": "yes"} })
			}
		})
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True Replayed: 5 matched, 5 replayed, 0 failed"))
		Expect(now(replay).Labels).To(HaveKey("seen"))
	})

	It("shows how far it has come with thousands, and yields to others", func() {
		const many, slice = 5000, 1000
		graves.die("orders", someEvents(many)...)
		graves.die("small", anEvent("one"))
		create(anEndpoint("small"))
		goOn, sliceOver := make(chan struct{}), atomic.Bool{}
		DeferCleanup(func() { close(goOn) })
		graves.meddle(
			func(store.DeadPage) {
				if sliceOver.CompareAndSwap(true, false) {
					<-goOn
				}
			},
			func(total int) {
				if total%slice == 0 && total < many {
					clock.ahead.Add(int64(time.Second))
					sliceOver.Store(true)
				}
			})
		DeferCleanup(func() { clock.ahead.Store(0) })
		replay := aReplay("again", "orders")
		create(replay)
		for n := 1; n < many/slice; n++ {
			Eventually(func(g Gomega) {
				g.Expect(replayStatus(replay)(g)).To(HavePrefix("False Replaying"))
				g.Expect(now(replay).Status.Replayed).To(BeNumerically(">=", n*slice))
			}).Should(Succeed())
			Expect(now(replay).Status.Replayed).To(BeNumerically("<", many))
			Expect(health(replay)).To(Equal(status.InProgressStatus))
			goOn <- struct{}{}
		}
		Eventually(replayStatus(replay), time.Minute).Should(Equal("True Replayed: 5000 matched, 5000 replayed, 0 failed"))
		Expect(graves.dead("orders")(Default)).To(BeEmpty())
	})

	It("shares dead letters with another replay, and each is revived once", func() {
		graves.die("orders", someEvents(1000)...)
		replays := []*v1alpha1.WebhookReplay{aReplay("one", "orders"), aReplay("two", "orders")}
		for _, replay := range replays {
			create(replay)
		}
		var sum int64
		for _, replay := range replays {
			Eventually(replayStatus(replay), time.Minute).Should(HavePrefix("True Replayed"))
			sum += now(replay).Status.Replayed
			Expect(now(replay).Status.Matched).To(Equal(replay.Status.Replayed + replay.Status.Failed))
		}
		Expect(sum).To(BeEquivalentTo(1000))
		times := graves.timesRevived("orders")
		Expect(times).To(HaveLen(1000))
		for id, n := range times {
			Expect(n).To(Equal(1), id)
		}
	})

	It("says that it was not the one to revive some", func() {
		graves.die("orders", someEvents(3)...)
		graves.meddle(func(page store.DeadPage) {
			defer GinkgoRecover() // the manager's goroutine runs this
			Expect(graves.Store.Revive(ctx, page.Letters[0])).To(Succeed())
		}, nil)
		replay := aReplay("again", "orders")
		create(replay)
		Eventually(replayStatus(replay)).Should(Equal("True ReplayedPartially: 3 matched, 2 replayed, 1 failed"))
		Eventually(eventsOf(replay)).Should(ConsistOf(HavePrefix("Warning ReplayedPartially: 2 of 3 dead letters are delivered again. The others were not")))
		Expect(health(replay)).To(Equal(status.CurrentStatus))
	})
})

// health is what kstatus makes of a replay, and so Flux, and others.
func health(of *v1alpha1.WebhookReplay) status.Status {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("WebhookReplay"))
	Expect(cluster.Get(ctx, client.ObjectKeyFromObject(of), object)).To(Succeed())
	result, err := status.Compute(object)
	Expect(err).NotTo(HaveOccurred())
	return result.Status
}

// eventsOf reads the Events on a replay, as "Normal Replayed: ...".
func eventsOf(replay *v1alpha1.WebhookReplay) func(Gomega) []string {
	return func(g Gomega) []string {
		var list eventsv1.EventList
		g.Expect(cluster.List(ctx, &list, client.InNamespace(replay.Namespace))).To(Succeed())
		var told []string
		for _, e := range list.Items {
			if e.Regarding.Kind == "WebhookReplay" && e.Regarding.Name == replay.Name {
				told = append(told, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Note))
			}
		}
		return told
	}
}

func receivedSince(when string) func(*v1alpha1.ReplaySelector) {
	return func(s *v1alpha1.ReplaySelector) { s.Since = timeOf(when) }
}

func receivedUntil(when string) func(*v1alpha1.ReplaySelector) {
	return func(s *v1alpha1.ReplaySelector) { s.Until = timeOf(when) }
}

func ofTypes(patterns ...string) func(*v1alpha1.ReplaySelector) {
	return func(s *v1alpha1.ReplaySelector) { s.Types = patterns }
}

func withIDs(ids ...string) func(*v1alpha1.ReplaySelector) {
	return func(s *v1alpha1.ReplaySelector) { s.EventIDs = ids }
}

func atMost(n int64) func(*v1alpha1.ReplaySelector) {
	return func(s *v1alpha1.ReplaySelector) { s.Limit = &n }
}

func timeOf(when string) *metav1.Time {
	at, err := time.Parse(time.RFC3339, when)
	if err != nil {
		panic(err)
	}
	return new(metav1.NewTime(at))
}

// replayedTotal reads the metric.
func replayedTotal() float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() == "sallyport_replayed_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	Fail("there is no metric sallyport_replayed_total")
	return 0
}
