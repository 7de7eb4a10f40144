package system

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
)

func (w *world) setPaused(e endpoint, paused bool) {
	w.t.Helper()
	object := &v1alpha1.WebhookEndpoint{}
	w.must(shared.Client.Get(w.ctx, e.NamespacedName, object))
	before := object.DeepCopy()
	object.Spec.Paused = paused
	w.must(shared.Client.Patch(w.ctx, object, client.MergeFrom(before)))
	w.awaitServed(e, func(s *corev1.Secret) bool {
		r, err := route.Decode(s.Data)
		return err == nil && r.Delivery.Paused == paused
	})
}

// What comes during a pause is kept, also by a receiver that ends meanwhile.
func TestAPausedEndpointKeepsItsEvents(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	w.setPaused(e, true)
	found, err := shared.AwaitEndpoint(w.ctx, e.NamespacedName, func(e *v1alpha1.WebhookEndpoint) bool {
		for _, c := range e.Status.Conditions {
			if c.Type == v1alpha1.ConditionReady && strings.Contains(c.Message, "paused") {
				return true
			}
		}
		return false
	})
	w.must(err)
	if found.Status.ObservedGeneration != found.Generation {
		t.Errorf("the status is of generation %d, want %d", found.Status.ObservedGeneration, found.Generation)
	}
	for _, id := range []string{"one", "two"} {
		w.expectAcknowledged(w.github(e, id, "{}"), "accepted", id)
	}
	w.finish(w.receiver)
	if got := w.deliveries(); len(got) != 0 {
		t.Fatalf("the target got %v during the pause", got)
	}

	w.receiver = w.startReceiver("b")
	w.setPaused(e, false)
	for _, id := range []string{"one", "two"} {
		if record := w.awaitOutcome(audit.Delivered, id); record.Attempt != 1 {
			t.Errorf("%s was delivered with attempt %d, want 1", id, record.Attempt)
		}
	}
}
