package system

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

func TestEventIsPutOffWhileRedisIsAwayAndTakenOnceAfterwards(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint(w.newHastySender())
	w.redis.Kill()
	w.expectPutOff(w.github(e, "one", "{}"))
	w.expectPutOff(w.github(e, "one", "{}"))
	if got := w.awaitOutcome(audit.Unavailable, "one"); !got.SignatureVerified {
		t.Errorf("the audit record of what was put off is %+v, want it verified", got)
	}

	w.restartRedis()
	w.expectAcknowledged(w.sendUntilTaken(e, "one", "{}"), "accepted", "one")
	w.awaitOutcome(audit.Delivered, "one")
	w.expectAcknowledged(w.github(e, "one", "{}"), "duplicate", "one")
	w.finish(w.receiver)
	if got := w.deliveries(); got["one"] != 1 {
		t.Errorf("the target got %v, want event one once", got)
	}
}

// newHastySender makes a provider that signs like GitHub, but waits for one second only.
// The receiver waits for Redis no longer than that.
func (w *world) newHastySender() string {
	w.t.Helper()
	github, err := provider.Preset("github")
	w.must(err)
	hasty := &v1alpha1.WebhookProvider{ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-hasty"}, Spec: github.Spec}
	hasty.Spec.Facts.AckSeconds = 1
	w.create(hasty)
	w.t.Cleanup(func() { _ = shared.Client.Delete(context.Background(), hasty) })
	return hasty.Name
}

// sendUntilTaken sends again as long as the receiver asks for that.
func (w *world) sendUntilTaken(e endpoint, id, body string) cluster.Answer {
	w.t.Helper()
	for {
		answer := w.github(e, id, body)
		if answer.Status != http.StatusServiceUnavailable {
			return answer
		}
	}
}

// A forgery is a forgery, whether Redis is there or not.
func TestForgeryIsRejectedWhileRedisIsAway(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	w.redis.Kill()
	answer := w.post(e, cluster.GitHub("another secret", "push", "one", []byte("{}")), "{}")
	if answer.Status != http.StatusUnauthorized {
		t.Errorf("the answer is %d, want 401", answer.Status)
	}
	w.restartRedis()
}

func TestReceiverStartsWithoutRedisAndRecovers(t *testing.T) {
	w := newWorld(t)
	w.redis.Kill()
	r, err := shared.LaunchReceiver(w.ctx, w.receiverOptions("a"))
	w.must(err)
	w.receiver = r
	w.endWithTest(r)
	e := w.newUnreadyEndpoint(w.newHastySender())
	w.awaitServed(e, func(*corev1.Secret) bool { return true })

	w.expectPutOff(w.github(e, "one", "{}"))
	if health, err := cluster.Get(w.ctx, r.AdminURL+"/healthz"); err != nil || health.Status != http.StatusOK {
		t.Errorf("/healthz answers %d (%v), want 200: a restart would not bring Redis back", health.Status, err)
	}
	readiness, err := cluster.Get(w.ctx, r.AdminURL+"/readyz")
	w.must(err)
	if readiness.Status == http.StatusOK || !strings.Contains(strings.ToLower(readiness.Body), "redis") {
		t.Errorf("/readyz answers %d %q, want an error that names Redis", readiness.Status, readiness.Body)
	}
	w.expectAlive(r)

	w.restartRedis()
	w.must(r.AwaitReady(w.ctx))
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
	w.awaitDelivery("one")
}

func TestKnownEndpointsWorkWhileTheAPIServerIsAway(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github", withQuickRetries(5*time.Second))
	t.Cleanup(func() {
		// A manager that has seen an outage waits ever longer between its attempts
		// to come back; a new one is there at once for the next test.
		manager.Kill()
		if err := shared.StartAPIServer(); err != nil {
			t.Fatal(err)
		}
		if err := startManager(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
	w.must(shared.KillAPIServer())

	w.target.React(cluster.Sequence(500, 200))
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
	w.awaitOutcome(audit.Delivered, "one")
	w.expectAcknowledged(w.github(e, "one", "{}"), "duplicate", "one")
	answer := w.post(e, cluster.GitHub("another secret", "push", "two", []byte("{}")), "{}")
	if answer.Status != http.StatusUnauthorized {
		t.Errorf("a forgery is answered %d, want 401", answer.Status)
	}
	w.expectAlive(w.receiver)
}
