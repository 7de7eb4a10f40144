package system

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// What a dead receiver had begun is free for others when its leases in Redis
// end, after half a minute: the two tests of that run beside each other.

// crashEvents is how many events are acknowledged before a receiver is killed.
const crashEvents = 10

func TestKilledReceiverDeliversWhenItIsBack(t *testing.T) {
	t.Parallel()
	w := newRunningWorld(t)
	e := w.newEndpoint("github", withQuickRetries(time.Second))
	w.acknowledgeAndKill(e)

	w.receiver = w.startReceiver("a")
	w.awaitAll()
	w.expectAcknowledged(w.github(e, "event-0", "{}"), "duplicate", "event-0")
}

func TestSecondReceiverDeliversForOneThatWasKilled(t *testing.T) {
	t.Parallel()
	w := newRunningWorld(t)
	e := w.newEndpoint("github", withQuickRetries(time.Second))
	second := w.startReceiver("b")
	w.awaitReady(e)
	w.acknowledgeAndKill(e)

	w.receiver = second
	w.awaitAll()
	w.expectAcknowledged(w.github(e, "event-0", "{}"), "duplicate", "event-0")
}

// acknowledgeAndKill kills the receiver with SIGKILL after its last 2xx, while
// every delivery still waits for the target; then the target works again.
func (w *world) acknowledgeAndKill(e endpoint) {
	w.t.Helper()
	w.target.React(cluster.Hang)
	for i := range crashEvents {
		id := fmt.Sprint("event-", i)
		w.expectAcknowledged(w.github(e, id, "{}"), "accepted", id)
	}
	w.receiver.Kill()
	removeLeases(w.ctx, w.t, w.receiver.Name)
	w.target.React(cluster.Status(200))
}

// awaitAll waits until the receiver has delivered each event.
func (w *world) awaitAll() {
	w.t.Helper()
	for i := range crashEvents {
		w.awaitOutcome(audit.Delivered, fmt.Sprint("event-", i))
	}
}

// A receiver that is told to end under load finishes what it has begun: whoever
// gets an answer gets a 2xx, everybody else a closed connection, and what was
// acknowledged arrives.
func TestReceiverThatEndsUnderLoadLosesNothing(t *testing.T) {
	const senders, before = 8, 200
	w := newRunningWorld(t)
	e := w.newEndpoint("github", withQuickRetries(5*time.Second))
	w.target.React(slowly)

	var acknowledged ids
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("event-%d-%d", sender, n)
				answer, err := cluster.Post(w.ctx, w.receiver.URL+e.path, cluster.GitHub(secretValue, "push", id, []byte("{}")), []byte("{}"))
				switch {
				case err != nil:
					return // the connection was closed or refused
				case answer.Status != http.StatusOK:
					t.Errorf("%s was answered %d %q while the receiver ended", id, answer.Status, answer.Body)
					return
				}
				if acknowledged.add(id) == before {
					w.receiver.Terminate()
				}
			}
		})
	}
	sending.Wait()
	if got := acknowledged.all(); len(got) < before {
		t.Fatalf("only %d events were acknowledged, want at least %d", len(got), before)
	}
	w.finish(w.receiver)

	w.receiver = w.startReceiver("b")
	for _, id := range acknowledged.all() {
		w.awaitDelivery(id)
	}
	t.Logf("%d events acknowledged, all delivered", len(acknowledged.all()))
}

// slowly is a target that leaves deliveries waiting when the receiver ends.
func slowly(ctx context.Context, _ cluster.Received) int {
	select {
	case <-time.After(20 * time.Millisecond):
		return http.StatusOK
	case <-ctx.Done():
		return 0
	}
}

// ids is a list that several senders add to.
type ids struct {
	mu   sync.Mutex
	list []string
}

func (l *ids) add(id string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, id)
	return len(l.list)
}

func (l *ids) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.list...)
}
