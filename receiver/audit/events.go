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

// EventsOptions say how to write Events.
type EventsOptions struct {
	// Client writes them.
	Client kubernetes.Interface
	// Receiver is the name of the receiver that reports.
	Receiver string
	// WarningsOnly writes none of what is well.
	WarningsOnly bool
	// Now is the clock by which writes are spaced.
	Now func() time.Time
	// Logger gets a message for each write that failed.
	Logger *slog.Logger
	// Metrics count writes, and outcomes that had none.
	Metrics *Metrics
}

// Events is a Sink that summarises outcomes as events.k8s.io/v1 Events on the
// WebhookEndpoint: the first of a kind at once, repeats as a series with a count. Where
// there are more than may be written, Warnings come first, and of these what is lost.
// One goroutine, Run, writes; Record waits for nothing.
type Events struct {
	o      EventsOptions
	budget *rate.Limiter
	wake   chan struct{} // holds one token while something new waits

	mu     sync.Mutex
	folder *folder
}

// NewEvents returns Events for Run to write.
func NewEvents(o EventsOptions) *Events {
	return &Events{
		o:      o,
		budget: rate.NewLimiter(eventsPerSecond, eventsBurst),
		wake:   make(chan struct{}, 1),
		folder: newFolder(),
	}
}

// Record implements Sink. Outcomes without an endpoint have no object that an Event
// could regard. Only the log has them.
func (e *Events) Record(r Record) {
	if r.Endpoint == "" || (e.o.WarningsOnly && !r.Status.warns()) {
		return
	}
	e.mu.Lock()
	isNew := e.folder.add(r, e.o.Now())
	e.mu.Unlock()
	if !isNew {
		e.o.Metrics.eventsFolded.Inc()
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

// flush writes the series that are due, as far as the budget goes, the most urgent first.
// It looks anew before each write, because a write may take seconds.
func (e *Events) flush(ctx context.Context) {
	for ctx.Err() == nil {
		now := e.o.Now()
		e.mu.Lock()
		s := e.folder.next(now)
		e.mu.Unlock()
		if s == nil || !e.budget.AllowN(now, 1) {
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
		e.o.Metrics.eventsWritten.Inc()
	case apierrors.IsNotFound(err) && snapshot.name != "":
		name, written = "", snapshot.written // expired: begin a new one
	default:
		e.o.Metrics.eventsFailed.Inc()
		e.o.Logger.Warn("a Kubernetes Event was not written and will be tried again", "endpoint", s.first.Endpoint, "error", err)
		name, written = snapshot.name, snapshot.written
	}
	e.mu.Lock()
	s.wrote(name, written, e.o.Now())
	e.mu.Unlock()
}

func (e *Events) put(ctx context.Context, s series) (name string, err error) {
	namespace, _, _ := strings.Cut(s.first.Endpoint, "/")
	api := e.o.Client.EventsV1().Events(namespace)
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
		ReportingInstance:   shorten(e.o.Receiver, 128), // the API server's limit
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
