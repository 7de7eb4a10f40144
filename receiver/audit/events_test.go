package audit

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/test/apiserver"
)

// fakeClock is moved by hand.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: time.Now().Truncate(time.Microsecond)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newNamespace makes a namespace for one test.
func newNamespace(t *testing.T) string {
	t.Helper()
	created, err := apiserver.Client(t).CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created.Name
}

func list(t *testing.T, namespace string) []eventsv1.Event {
	t.Helper()
	found, err := apiserver.Client(t).EventsV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return found.Items
}

func newTestEvents(t *testing.T, clock *fakeClock) *Events {
	t.Helper()
	return NewEvents(EventsOptions{Client: apiserver.Client(t), Receiver: "receiver-1", Now: clock.Now, Logger: slog.New(slog.DiscardHandler), Metrics: newTestMetrics()})
}

func TestFirstOutcomeIsAnEventAndRepeatsAreASeries(t *testing.T) {
	namespace, clock := newNamespace(t), newFakeClock()
	events := newTestEvents(t, clock)
	record := Record{
		Time: clock.Now(), Endpoint: namespace + "/stripe", EndpointUID: "uid-1", Status: Rejected,
		RequestID: "r1", StatusCode: 401, ErrorMessage: "the signature is wrong",
	}
	events.Record(record)
	events.flush(t.Context())

	got := list(t, namespace)
	if len(got) != 1 {
		t.Fatalf("there are %d Events, want 1", len(got))
	}
	first := got[0]
	regarding := corev1.ObjectReference{APIVersion: "hooks.sallyport.dev/v1alpha1", Kind: "WebhookEndpoint", Namespace: namespace, Name: "stripe", UID: "uid-1"}
	if first.Regarding != regarding || first.Reason != "Rejected" || first.Type != "Warning" || first.Action != "Receive" ||
		first.ReportingController != "hooks.sallyport.dev/receiver" || first.ReportingInstance != "receiver-1" || first.Series != nil {
		t.Errorf("the Event is %+v", first)
	}
	if want := "A request was rejected, HTTP 401, request r1: the signature is wrong"; first.Note != want {
		t.Errorf("the note is %q, want %q", first.Note, want)
	}

	for i := range 500 {
		clock.advance(time.Millisecond)
		record.Time, record.EventID = clock.Now(), fmt.Sprint("evt_", i)
		events.Record(record)
		events.flush(t.Context())
	}
	if written := testutil.ToFloat64(events.o.Metrics.eventsWritten); written != 1 {
		t.Errorf("%v writes within %v, want 1", written, writeInterval)
	}
	clock.advance(writeInterval)
	events.flush(t.Context())
	got = list(t, namespace)
	if len(got) != 1 || got[0].Series == nil || got[0].Series.Count != 501 || !got[0].Series.LastObservedTime.Time.Equal(record.Time) {
		t.Fatalf("the Events are %+v, want one series of 501", got)
	}
	if id := got[0].Annotations[annotationLastEventID]; id != "evt_499" {
		t.Errorf("the last event id is %q", id)
	}
	if folded := testutil.ToFloat64(events.o.Metrics.eventsFolded); folded != 500 {
		t.Errorf("%v outcomes are counted as folded, want 500", folded)
	}
}

func TestSeriesGoesOnWhenItsEventHasExpired(t *testing.T) {
	namespace, clock := newNamespace(t), newFakeClock()
	events := newTestEvents(t, clock)
	record := Record{Time: clock.Now(), Endpoint: namespace + "/stripe", Status: Accepted, EventID: "one"}
	events.Record(record)
	events.flush(t.Context())
	gone := list(t, namespace)[0].Name
	if err := apiserver.Client(t).EventsV1().Events(namespace).Delete(t.Context(), gone, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	record.EventID = "two"
	events.Record(record)
	for range 2 { // the first finds out that the Event is gone
		clock.advance(writeInterval)
		events.flush(t.Context())
	}
	got := list(t, namespace)
	if len(got) != 1 || got[0].Name == gone || !strings.Contains(got[0].Note, "two") {
		t.Errorf("the Events are %+v, want a new one about the latest outcome", got)
	}
}

// A flood over very many endpoints must not become a flood on the API server.
func TestFloodStaysWithinTheBudget(t *testing.T) {
	namespace, clock := newNamespace(t), newFakeClock()
	events := newTestEvents(t, clock)
	for i := range 500 {
		events.Record(Record{Time: clock.Now(), Endpoint: fmt.Sprint(namespace, "/e-", i), Status: Rejected})
	}
	events.flush(t.Context())
	if got := len(list(t, namespace)); got != eventsBurst {
		t.Errorf("%d Events were written at once, want %d", got, eventsBurst)
	}
	clock.advance(time.Second)
	events.flush(t.Context())
	if got := len(list(t, namespace)); got != eventsBurst+eventsPerSecond {
		t.Errorf("%d Events after a second, want %d", got, eventsBurst+eventsPerSecond)
	}
}

// A dead letter is told at once, however many other outcomes wait, and what is well is
// told last.
func TestADeadLetterIsNotDelayedByAFlood(t *testing.T) {
	namespace, clock := newNamespace(t), newFakeClock()
	events := newTestEvents(t, clock)
	for i := range 200 {
		for _, status := range []Status{Accepted, Rejected} {
			events.Record(Record{Time: clock.Now(), Endpoint: fmt.Sprint(namespace, "/e-", i), Status: status, SignatureVerified: status == Accepted})
		}
	}
	events.flush(t.Context())
	events.Record(Record{Time: clock.Now(), Endpoint: namespace + "/last", Status: DeadLettered, SignatureVerified: true, Attempt: 3})
	clock.advance(time.Second / eventsPerSecond)
	events.flush(t.Context())
	reasons := map[string]int{}
	for _, e := range list(t, namespace) {
		reasons[e.Reason]++
	}
	if reasons["DeadLettered"] != 1 || reasons["Rejected"] != eventsBurst || reasons["Accepted"] != 0 {
		t.Errorf("the Events are %v", reasons)
	}
}

func TestNormalEventsCanBeTurnedOff(t *testing.T) {
	namespace, clock := newNamespace(t), newFakeClock()
	events := newTestEvents(t, clock)
	events.o.WarningsOnly = true
	for _, status := range []Status{Accepted, Delivered, DeadLettered} {
		events.Record(Record{Time: clock.Now(), Endpoint: namespace + "/stripe", Status: status, SignatureVerified: true})
	}
	events.flush(t.Context())
	if got := list(t, namespace); len(got) != 1 || got[0].Reason != "DeadLettered" {
		t.Errorf("the Events are %+v, want one of the dead letter", got)
	}
}

func TestOutcomeWithoutAnEndpointIsNoEvent(t *testing.T) {
	events := newTestEvents(t, newFakeClock())
	events.Record(Record{Status: Rejected, StatusCode: 404})
	if len(events.folder.bySeries) != 0 {
		t.Errorf("an outcome without an endpoint is remembered")
	}
}

func TestSenderTextThatIsTooLongIsShortened(t *testing.T) {
	namespace, clock := newNamespace(t), newFakeClock()
	events := newTestEvents(t, clock)
	long := strings.Repeat("\u00e9\x00", 5000)
	events.Record(Record{Time: clock.Now(), Endpoint: namespace + "/stripe", Status: DeadLettered, EventID: long, EventType: long, RequestID: long, ErrorMessage: long})
	events.flush(t.Context())
	if got := list(t, namespace); len(got) != 1 {
		t.Errorf("there are %d Events, want 1", len(got))
	}
}

// Run is what writes in the program: the first of a kind needs no tick.
func TestRunWritesUntilItsContextEnds(t *testing.T) {
	namespace := newNamespace(t)
	watch, err := apiserver.Client(t).EventsV1().Events(namespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	events := NewEvents(EventsOptions{Client: apiserver.Client(t), Receiver: "receiver-1", Now: time.Now, Logger: slog.New(slog.DiscardHandler), Metrics: newTestMetrics()})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { events.Run(ctx) })
	events.Record(Record{Time: time.Now(), Endpoint: namespace + "/stripe", Status: Delivered})
	select {
	case <-watch.ResultChan():
	case <-time.After(30 * time.Second):
		t.Error("no Event was written")
	}
	cancel()
	running.Wait()
}
