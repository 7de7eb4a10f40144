package controllers_test

import (
	"context"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers"
	"sallyport.dev/sallyport/receiver/store"
)

// trafficLog tells what a spec wants to have come and gone.
type trafficLog struct {
	mu      sync.Mutex
	usage   store.Usage
	traffic store.Traffic
	looks   int
	err     error
}

func (l *trafficLog) tell(usage store.Usage, traffic store.Traffic) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usage, l.traffic = usage, traffic
}

func (l *trafficLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *trafficLog) looked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looks
}

func (l *trafficLog) Usage(_ context.Context, endpoints []string) ([]store.Usage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	all := make([]store.Usage, len(endpoints))
	for i := range all {
		all[i] = l.usage
	}
	return all, l.err
}

func (l *trafficLog) Traffic(_ context.Context, endpoints []string) (map[string]store.Traffic, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]store.Traffic{}
	for _, endpoint := range endpoints {
		all[endpoint] = l.traffic
	}
	return all, nil
}

var _ = Describe("The traffic of an endpoint", func() {
	const soon = 20 * time.Millisecond
	var (
		traffic  *trafficLog
		endpoint *v1alpha1.WebhookEndpoint
		writes   func() []string
	)
	BeforeEach(func() {
		inOrder()
		endpoint = anEndpoint("orders")
		create(endpoint)
		becomesReady(endpoint)

		traffic = &trafficLog{}
		sent := &recorder{}
		config := *apiServer
		config.Wrap(sent.wrap)
		recorded, err := client.New(&config, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		writes = func() []string { return sent.that(changes) }
		running, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		reporter := &controllers.TrafficReporter{Client: recorded, Store: traffic, Interval: soon, Pause: time.Millisecond}
		go func() { ended <- reporter.Start(running) }()
		DeferCleanup(func() {
			cancel()
			Eventually(ended).Should(Receive(BeNil()))
		})
	})
	// looksAgain waits until the reporter has looked at what was told.
	looksAgain := func() {
		GinkgoHelper()
		before := traffic.looked()
		Eventually(traffic.looked).Should(BeNumerically(">=", before+2))
	}

	It("is in its status, and no longer than it is true", func() {
		looksAgain()
		Expect(writes()).To(BeEmpty(), "nothing came, so there is nothing to say")

		at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
		traffic.tell(store.Usage{Pending: 3}, store.Traffic{LastReceived: at})
		Eventually(func() int64 { return orZero(now(endpoint).Status.Traffic).Pending }).Should(BeEquivalentTo(3))
		Expect(now(endpoint).Status.Traffic.LastReceivedTime.UTC()).To(Equal(at.Truncate(time.Minute)))
		Expect(condition(endpoint, "Degraded")(Default)).To(Equal("False AsExpected"))
		Expect(condition(endpoint, "Ready")(Default)).To(Equal("True Ready"), "what the endpoint controller wrote stays")

		By("nothing new")
		looksAgain()
		before := len(writes())
		traffic.tell(store.Usage{Pending: 3}, store.Traffic{LastReceived: at.Add(30 * time.Second)})
		looksAgain()
		Expect(writes()).To(HaveLen(before), "the same minute is not worth a write")

		By("what is forgotten elsewhere")
		traffic.tell(store.Usage{}, store.Traffic{})
		Eventually(func() int64 { return now(endpoint).Status.Traffic.Pending }).Should(BeZero())
		Expect(now(endpoint).Status.Traffic.LastReceivedTime.UTC()).To(Equal(at.Truncate(time.Minute)))
	})

	It("makes the endpoint Degraded, which leaves it Ready", func() {
		traffic.tell(store.Usage{Dead: 1}, store.Traffic{LastReceived: time.Now()})
		Eventually(condition(endpoint, "Degraded")).Should(Equal("True DeadLetters"))
		traffic.tell(store.Usage{Dead: 1}, store.Traffic{LastReceived: time.Now(), RejectedInRow: 5})
		Eventually(condition(endpoint, "Degraded")).Should(Equal("True SignaturesFail"))
		Expect(condition(endpoint, "Ready")(Default)).To(Equal("True Ready"))

		By("a change of the spec, which the endpoint controller writes about")
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Path = "/elsewhere" })
		becomesReady(endpoint)
		Eventually(condition(endpoint, "Degraded")).Should(Equal("True SignaturesFail"))
		traffic.tell(store.Usage{}, store.Traffic{LastReceived: time.Now()})
		Eventually(condition(endpoint, "Degraded")).Should(Equal("False AsExpected"))
	})

	It("is reported again after an outage", func() {
		traffic.fail(store.ErrUnavailable)
		looksAgain()
		Expect(writes()).To(BeEmpty())
		traffic.fail(nil)
		traffic.tell(store.Usage{Dead: 2}, store.Traffic{})
		Eventually(condition(endpoint, "Degraded")).Should(Equal("True DeadLetters"))
	})
})

func orZero(t *v1alpha1.TrafficStatus) v1alpha1.TrafficStatus {
	if t == nil {
		return v1alpha1.TrafficStatus{}
	}
	return *t
}
