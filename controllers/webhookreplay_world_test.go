package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// graveyard is the store of the suite's managers, in a Redis of the suite. It counts
// what is revived, and lets specs do something in between.
type graveyard struct {
	*store.Store
	redis   *redistest.Server
	records auditRecords

	mu          sync.Mutex
	revived     map[string]int // by endpoint and event id
	afterPage   func(store.DeadPage)
	afterRevive func(total int)
}

func openGraveyard() *graveyard {
	GinkgoHelper()
	redis := redistest.Start(GinkgoTB(), "--appendonly", "yes", "--appendfsync", "always")
	opened, err := store.Open(ctx, store.Options{URL: redis.URL()})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(opened.Close)
	return &graveyard{Store: opened, redis: redis, revived: map[string]int{}}
}

// DeadLetters and Revive are those of the store.
func (g *graveyard) DeadLetters(ctx context.Context, q store.DeadQuery) (store.DeadPage, error) {
	page, err := g.Store.DeadLetters(ctx, q)
	g.mu.Lock()
	after := g.afterPage
	g.mu.Unlock()
	if after != nil && err == nil {
		after(page)
	}
	return page, err
}

func (g *graveyard) Revive(ctx context.Context, l store.DeadLetter) error {
	if err := g.Store.Revive(ctx, l); err != nil {
		return err
	}
	g.mu.Lock()
	g.revived[l.Event.Endpoint+" "+l.Event.ID]++
	after, total := g.afterRevive, len(g.revived)
	g.mu.Unlock()
	if after != nil {
		after(total)
	}
	return nil
}

// meddle does something after a page was read and after each letter that was
// revived, until the spec ends. It forgets what was revived before.
func (g *graveyard) meddle(afterPage func(store.DeadPage), afterRevive func(total int)) {
	set := func(afterPage func(store.DeadPage), afterRevive func(total int)) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.afterPage, g.afterRevive, g.revived = afterPage, afterRevive, map[string]int{}
	}
	set(afterPage, afterRevive)
	DeferCleanup(func() { set(nil, nil) })
}

// timesRevived counts how often each event of an endpoint was revived.
func (g *graveyard) timesRevived(endpoint string) map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	times := map[string]int{}
	for name, n := range g.revived {
		if id, ok := strings.CutPrefix(name, namespace+"/"+endpoint+" "); ok {
			times[id] = n
		}
	}
	return times
}

// die stores events of an endpoint of the spec's namespace and gives them up, as a
// receiver does.
func (g *graveyard) die(endpoint string, events ...*store.Event) {
	GinkgoHelper()
	tickets, failures := make(chan struct{}, 64), make(chan error, len(events))
	for _, event := range events {
		event.Endpoint, event.Provider, event.Method = namespace+"/"+endpoint, "till", "POST"
		event.RequestID, event.Body = "request of "+event.ID, []byte("{}")
		if event.ReceivedAt.IsZero() {
			event.ReceivedAt = time.Now()
		}
		tickets <- struct{}{}
		go func() {
			defer func() { <-tickets }()
			failures <- g.dieOne(event)
		}()
	}
	for range events {
		Expect(<-failures).To(Succeed())
	}
}

func (g *graveyard) dieOne(event *store.Event, targets ...string) error {
	_, leases, err := g.Accept(ctx, event, store.AcceptOptions{Window: time.Hour, Lease: time.Minute, Targets: targets})
	if err != nil {
		return err
	}
	for _, lease := range leases {
		if err := g.DeadLetter(ctx, lease, store.Failure{Attempts: 12, Since: event.ReceivedAt}); err != nil {
			return err
		}
	}
	return nil
}

// dead are the ids of the events of an endpoint that are dead letters now.
func (g *graveyard) dead(endpoint string) func(Gomega) []string {
	return func(o Gomega) []string {
		var ids []string
		for q := (store.DeadQuery{Endpoint: namespace + "/" + endpoint}); ; {
			page, err := g.Store.DeadLetters(ctx, q)
			o.Expect(err).NotTo(HaveOccurred())
			for _, l := range page.Letters {
				ids = append(ids, l.Event.ID)
			}
			if q.Continue = page.Continue; q.Continue == "" {
				return ids
			}
		}
	}
}

// anEvent is one of a type.
func anEvent(id string, details ...func(*store.Event)) *store.Event {
	event := &store.Event{Meta: event.Meta{ID: id, Type: "order.paid"}}
	for _, detail := range details {
		detail(event)
	}
	return event
}

func ofType(name string) func(*store.Event) {
	return func(e *store.Event) { e.Type = name }
}

func receivedAt(when time.Time) func(*store.Event) {
	return func(e *store.Event) { e.ReceivedAt = when }
}

// someEvents are so many, "0", "1", and so on.
func someEvents(n int) []*store.Event {
	all := make([]*store.Event, n)
	for i := range all {
		all[i] = anEvent(fmt.Sprint(i))
	}
	return all
}

// auditRecords is an audit.Sink.
type auditRecords struct {
	mu  sync.Mutex
	all []audit.Record
}

// Record implements audit.Sink.
func (r *auditRecords) Record(record audit.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, record)
}

// of returns the records of an endpoint of the spec's namespace.
func (r *auditRecords) of(endpoint string) []audit.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []audit.Record
	for _, record := range r.all {
		if record.Endpoint == namespace+"/"+endpoint {
			found = append(found, record)
		}
	}
	return found
}

// aReplay delivers the dead letters of an endpoint again.
func aReplay(name, endpoint string, details ...func(*v1alpha1.ReplaySelector)) *v1alpha1.WebhookReplay {
	replay := &v1alpha1.WebhookReplay{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.WebhookReplaySpec{EndpointRef: v1alpha1.EndpointReference{Name: endpoint}},
	}
	if len(details) > 0 {
		replay.Spec.Selector = &v1alpha1.ReplaySelector{}
	}
	for _, detail := range details {
		detail(replay.Spec.Selector)
	}
	return replay
}

// replayStatus reads the condition Complete and the counts, as
// "True Replayed: 12 matched, 12 replayed, 0 failed".
func replayStatus(of *v1alpha1.WebhookReplay) func(Gomega) string {
	return func(g Gomega) string {
		read := &v1alpha1.WebhookReplay{}
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(of), read)).To(Succeed())
		c := meta.FindStatusCondition(read.Status.Conditions, v1alpha1.ConditionComplete)
		g.Expect(c).NotTo(BeNil(), "no condition yet")
		g.Expect(c.ObservedGeneration).To(Equal(read.Generation))
		return fmt.Sprintf("%s %s: %d matched, %d replayed, %d failed", c.Status, c.Reason, read.Status.Matched, read.Status.Replayed, read.Status.Failed)
	}
}

// replayMessage reads the sentence of the condition Complete.
func replayMessage(of *v1alpha1.WebhookReplay) string {
	GinkgoHelper()
	return meta.FindStatusCondition(now(of).Status.Conditions, v1alpha1.ConditionComplete).Message
}
