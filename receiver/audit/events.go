package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// The source and the object of our Events. The group and kind are written out because
// the data plane doesn't import the API types.
const (
	reportingController = "hooks.sallyport.dev/receiver"
	endpointAPIVersion  = "hooks.sallyport.dev/v1alpha1"
	endpointKind        = "WebhookEndpoint"

	// annotationLastEventID names the latest event of a series: the note of an
	// Event can't be changed after it was created.
	annotationLastEventID = "hooks.sallyport.dev/last-event-id"
)

// The load that the Events of a receiver put on the API server at most.
const (
	// eventsPerSecond and eventsBurst bound the writes of one receiver. 50
	// receivers that are all flooded stay at 250 writes a second.
	eventsPerSecond = 5
	eventsBurst     = 50
	// eventsTick is the time between two looks for series that are due.
	eventsTick = time.Second
	// eventTimeout bounds one write.
	eventTimeout = 5 * time.Second
)

// Events is a Sink that summarises outcomes as events.k8s.io/v1 Events on the
// WebhookEndpoint: the first of a kind at once, repeats as a series with a count.
// One goroutine, Run, writes; Record waits for nothing.
type Events struct {
	client   kubernetes.Interface
	receiver string
	now      func() time.Time
	logger   *slog.Logger
	metrics  *Metrics
	budget   *rate.Limiter
	wake     chan struct{} // holds one token while something new waits

	mu     sync.Mutex
	folder *folder
}

// NewEvents returns Events that write as the receiver of that name.
func NewEvents(client kubernetes.Interface, receiver string, now func() time.Time, logger *slog.Logger, metrics *Metrics) *Events {
	return &Events{
		client: client, receiver: receiver, now: now, logger: logger, metrics: metrics,
		budget: rate.NewLimiter(eventsPerSecond, eventsBurst),
		wake:   make(chan struct{}, 1),
		folder: newFolder(),
	}
}

// Record implements Sink. Outcomes without an endpoint have no object that an Event
// could regard. Only the log has them.
func (e *Events) Record(r Record) {
	if r.Endpoint == "" {
		return
	}
	e.mu.Lock()
	isNew := e.folder.add(r, e.now())
	e.mu.Unlock()
	if !isNew {
		e.metrics.eventsFolded.Inc()
		return
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run writes Events until ctx ends. No error ends it.
func (e *Events) Run(ctx context.Context) {
	tick := time.NewTicker(eventsTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-tick.C:
		}
		e.flush(ctx)
	}
}

// flush writes the series that are due, as far as the budget goes. The others stay due.
func (e *Events) flush(ctx context.Context) {
	now := e.now()
	e.mu.Lock()
	due := e.folder.due(now)
	e.mu.Unlock()
	for _, s := range due {
		if ctx.Err() != nil || !e.budget.AllowN(now, 1) {
			return
		}
		e.writeSeries(ctx, s)
	}
}

// writeSeries creates or updates one Event. After an error the series waits as long as
// after a write, so that an API server in trouble doesn't get more requests.
func (e *Events) writeSeries(ctx context.Context, s *series) {
	e.mu.Lock()
	snapshot := *s
	e.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	name, err := e.put(ctx, snapshot)
	written := snapshot.count
	switch {
	case err == nil:
		e.metrics.eventsWritten.Inc()
	case apierrors.IsNotFound(err) && snapshot.name != "":
		name, written = "", snapshot.written // expired: begin a new one
	default:
		e.metrics.eventsFailed.Inc()
		e.logger.Warn("a Kubernetes Event was not written and will be tried again", "endpoint", s.first.Endpoint, "error", err)
		name, written = snapshot.name, snapshot.written
	}
	e.mu.Lock()
	s.wrote(name, written, e.now())
	e.mu.Unlock()
}

func (e *Events) put(ctx context.Context, s series) (name string, err error) {
	namespace, _, _ := strings.Cut(s.first.Endpoint, "/")
	api := e.client.EventsV1().Events(namespace)
	if s.name == "" {
		created, err := api.Create(ctx, e.event(s), metav1.CreateOptions{})
		if err != nil {
			return "", err
		}
		return created.Name, nil
	}
	patch, err := json.Marshal(progress(s))
	if err != nil {
		return "", fmt.Errorf("writing a patch of an Event: %w", err)
	}
	_, err = api.Patch(ctx, s.name, types.MergePatchType, patch, metav1.PatchOptions{})
	return s.name, err
}

// event returns the Event that starts a series.
func (e *Events) event(s series) *eventsv1.Event {
	namespace, endpoint, _ := strings.Cut(s.first.Endpoint, "/")
	kind := corev1.EventTypeNormal
	if s.first.Status.warns() {
		kind = corev1.EventTypeWarning
	}
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:    namespace,
			GenerateName: endpoint + "-",
			Annotations:  map[string]string{annotationLastEventID: printable(s.last.EventID)},
		},
		EventTime:           metav1.NewMicroTime(s.first.Time),
		ReportingController: reportingController,
		ReportingInstance:   shorten(e.receiver, 128), // the API server's limit
		Action:              action(s.first),
		Reason:              s.first.Status.reason(),
		Type:                kind,
		Note:                note(s.first),
		Regarding: corev1.ObjectReference{
			APIVersion: endpointAPIVersion, Kind: endpointKind,
			Namespace: namespace, Name: endpoint, UID: types.UID(s.first.EndpointUID),
		},
	}
	if s.count > 1 {
		event.Series = seriesOf(s)
	}
	return event
}

// action returns the Event's action.
func action(r Record) string {
	if r.Attempt > 0 {
		return "Deliver"
	}
	return "Receive"
}

// progress returns the fields of an Event that change while its series goes on.
func progress(s series) any {
	return map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{annotationLastEventID: printable(s.last.EventID)}},
		"series":   seriesOf(s),
	}
}

func seriesOf(s series) *eventsv1.EventSeries {
	return &eventsv1.EventSeries{Count: int32(s.count), LastObservedTime: metav1.NewMicroTime(s.last.Time)}
}
