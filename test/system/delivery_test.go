package system

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

func TestDeliveryThatFailsIsRepeated(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github", withQuickRetries(5*time.Second))
	w.target.React(cluster.Sequence(500, 503, 200))
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")

	got, err := w.target.Requests.AwaitN(w.ctx, 3, func(r cluster.Received) bool { return r.EventID() == "one" })
	w.must(err)
	for i, request := range got {
		if attempt := request.Header.Get("Sallyport-Attempt"); attempt != fmt.Sprint(i+1) {
			t.Errorf("request %d says attempt %s", i+1, attempt)
		}
	}
	w.awaitOutcome(audit.RetryScheduled, "one")
	if record := w.awaitOutcome(audit.Delivered, "one"); record.Attempt != 3 {
		t.Errorf("delivered with attempt %d, want 3", record.Attempt)
	}
	w.finish(w.receiver)
	if got := w.deliveries(); got["one"] != 3 {
		t.Errorf("the target got %v, want three attempts of event one", got)
	}
}

func TestTargetThatHangsDoesNotStopReception(t *testing.T) {
	const events = 60 // more than the attempts that may be made at a time
	w := newRunningWorld(t)
	e := w.newEndpoint("github", withQuickRetries(500*time.Millisecond))
	w.target.React(cluster.Hang)
	for i := range events {
		id := fmt.Sprint("event-", i)
		began := time.Now()
		w.expectAcknowledged(w.github(e, id, "{}"), "accepted", id)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s was acknowledged after %s: reception waits for the target", id, took)
		}
	}
	w.target.React(cluster.Status(200))
	for i := range events {
		w.awaitOutcome(audit.Delivered, fmt.Sprint("event-", i))
	}
}

func TestEventsForAMissingServiceAreKept(t *testing.T) {
	w := newRunningWorld(t)
	w.must(shared.Client.Delete(w.ctx, w.service()))
	e := w.newUnreadyEndpoint("github", withQuickRetries(5*time.Second))
	_, err := shared.AwaitCondition(w.ctx, e.NamespacedName, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonTargetNotFound)
	w.must(err)
	w.awaitServed(e, func(*corev1.Secret) bool { return true })

	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
	w.create(w.service())
	if got := w.awaitDelivery("one"); got.Header.Get("Sallyport-Attempt") != "1" {
		t.Errorf("the wait for the Service was counted as an attempt: the target got attempt %s", got.Header.Get("Sallyport-Attempt"))
	}
	w.awaitReady(e)
}

// awaitServed waits until the receiver serves a route that matches.
func (w *world) awaitServed(e endpoint, match func(*corev1.Secret) bool) {
	w.t.Helper()
	version, err := shared.AwaitRoute(w.ctx, e.NamespacedName, match)
	w.must(err)
	w.must(shared.AwaitServed(w.ctx, w.receiver.Name, version))
}
