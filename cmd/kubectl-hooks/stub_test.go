package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/api/v1alpha1"
)

// stub stands for an API server that has the events API, with one endpoint,
// billing/stripe. What is in it are the answers; it is no server of events: test/system
// has that.
type stub struct {
	events   []eventsv1alpha1.WebhookEvent
	payload  *eventsv1alpha1.WebhookEventPayload
	records  []eventsv1alpha1.WebhookRecord
	queues   []eventsv1alpha1.WebhookQueue
	pageSize int                      // of dead letters; 0: no pages
	refuse   map[string]int           // status of an answer, by resource or by method
	watches  chan chan map[string]any // each watch that begins: what is sent to it
	mu       sync.Mutex
	asked    []string // the requests
}

const (
	hooksPath  = "/apis/hooks.sallyport.dev/v1alpha1/"
	eventsPath = "/apis/events.hooks.sallyport.dev/v1alpha1/"
)

// serve starts the stub, and returns the arguments that lead there.
func (s *stub) serve(t *testing.T) []string {
	t.Helper()
	s.watches = make(chan chan map[string]any, 16)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "stub",
"clusters": [{"name": "stub", "cluster": {"server": %q}}], "contexts": [{"name": "stub", "context": {"cluster": "stub", "namespace": "billing"}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--kubeconfig", file}
}

// ServeHTTP implements http.Handler.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.String())
	path := strings.TrimPrefix(r.URL.Path, eventsPath)
	path = strings.TrimPrefix(strings.TrimPrefix(path, hooksPath), "namespaces/billing/")
	resource, name, _ := strings.Cut(path, "/")
	for _, key := range []string{resource, r.Method} {
		if status := s.refuse[key]; status != 0 {
			answer(w, status, &metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(status),
				Reason: reasonOf(status), Message: "refused by the stub",
			})
			return
		}
	}
	switch {
	case resource == "webhookendpoints" && name == "":
		answer(w, http.StatusOK, &v1alpha1.WebhookEndpointList{Items: []v1alpha1.WebhookEndpoint{stripe()}})
	case resource == "webhookendpoints":
		answer(w, http.StatusOK, stripe())
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	case resource == "webhookrecords":
		answer(w, http.StatusOK, &eventsv1alpha1.WebhookRecordList{ListMeta: metav1.ListMeta{ResourceVersion: "100"}, Items: s.records})
	case resource == "webhookqueues" && name == "":
		answer(w, http.StatusOK, &eventsv1alpha1.WebhookQueueList{Items: s.queues})
	case resource == "webhookqueues":
		answer(w, http.StatusOK, s.queues[0])
	case strings.HasSuffix(name, "/payload"):
		answer(w, http.StatusOK, s.payload)
	case resource == "webhookevents" && r.Method == http.MethodDelete:
		answer(w, http.StatusOK, &metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess})
	case resource == "webhookevents":
		s.listEvents(w, r)
	default:
		http.NotFound(w, r)
	}
}

func reasonOf(status int) metav1.StatusReason {
	return map[int]metav1.StatusReason{
		http.StatusForbidden: metav1.StatusReasonForbidden, http.StatusConflict: metav1.StatusReasonConflict,
		http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusGone: metav1.StatusReasonExpired,
	}[status]
}

// listEvents knows pages, and the id and the state as selectors.
func (s *stub) listEvents(w http.ResponseWriter, r *http.Request) {
	selector, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	list := &eventsv1alpha1.WebhookEventList{}
	for _, e := range s.events {
		id, byID := selector.RequiresExactMatch(fieldEventID)
		state, byState := selector.RequiresExactMatch(fieldEventState)
		if (!byID || e.Spec.EventID == id) && (!byState || string(e.Status.State) == state) {
			list.Items = append(list.Items, e)
		}
	}
	if s.pageSize > 0 {
		var from int
		_, _ = fmt.Sscan(r.URL.Query().Get("continue"), &from)
		to := min(from+s.pageSize, len(list.Items))
		if to < len(list.Items) {
			list.Continue = fmt.Sprint(to)
		}
		list.Items = list.Items[from:to]
	}
	answer(w, http.StatusOK, list)
}

// watch hands a channel to the test, and sends what comes from there until the test
// closes it.
func (s *stub) watch(w http.ResponseWriter, r *http.Request) {
	frames := make(chan map[string]any)
	s.watches <- frames
	s.mu.Unlock()
	defer s.mu.Lock()
	w.Header().Set("Content-Type", "application/json")
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case frame, open := <-frames:
			if !open {
				return
			}
			_ = json.NewEncoder(w).Encode(frame)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func answer(w http.ResponseWriter, status int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object)
}

// requests are those that were made, of a method.
func (s *stub) requests(method string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, request := range s.asked {
		if strings.HasPrefix(request, method+" ") {
			found = append(found, request)
		}
	}
	return found
}

func stripe() v1alpha1.WebhookEndpoint {
	return v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: "billing", Name: "stripe", Generation: 1},
		Spec:       v1alpha1.WebhookEndpointSpec{Provider: "stripe", Paused: true},
		Status: v1alpha1.WebhookEndpointStatus{URL: "https://hooks.example.com/billing/stripe", Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTargetNotFound},
		}},
	}
}

// noon is the time of these tests.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// someEvent is an event that came minutes ago, with deliveries.
func someEvent(id string, minutes int, state eventsv1alpha1.EventState, deliveries ...eventsv1alpha1.DeliveryStatus) eventsv1alpha1.WebhookEvent {
	received := noon.Add(-time.Duration(minutes) * time.Minute)
	return eventsv1alpha1.WebhookEvent{
		ObjectMeta: metav1.ObjectMeta{Namespace: "billing", Name: fmt.Sprintf("%048x", minutes), CreationTimestamp: metav1.NewTime(received)},
		Spec: eventsv1alpha1.WebhookEventSpec{
			Endpoint: "stripe", Provider: "stripe", EventID: id, Type: "invoice.paid", RequestID: "req-" + id, SourceIP: "192.0.2.7",
			ReceivedTime: metav1.NewMicroTime(received), BodyBytes: 2048,
		},
		Status: eventsv1alpha1.WebhookEventStatus{State: state, Deliveries: deliveries},
	}
}

// givenUp is a dead letter of a route.
func givenUp(route string, minutes int) eventsv1alpha1.DeliveryStatus {
	at := metav1.NewTime(noon.Add(-time.Duration(minutes) * time.Minute))
	return eventsv1alpha1.DeliveryStatus{
		Route: route, State: eventsv1alpha1.StateDeadLettered, Attempts: 12, LastError: "the target answered 500\n\x1b[31m", DeadLetteredTime: &at,
	}
}

func someRecord(n int, status, id string) eventsv1alpha1.WebhookRecord {
	at := noon.Add(time.Duration(n) * time.Second)
	return eventsv1alpha1.WebhookRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: "billing", Name: fmt.Sprintf("%d-0.stripe", n), ResourceVersion: fmt.Sprint(100 + n)},
		Time:       metav1.NewMicroTime(at), Endpoint: "stripe", Provider: "stripe", EventID: id, EventType: "invoice.paid",
		ProcessingStatus: status, Attempt: 1, StatusCode: 200, DurationMS: 12,
	}
}

// frame is a frame of a watch.
func frame(t *testing.T, kind watch.EventType, object any) map[string]any {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var fieldsOf map[string]any
	if err := json.Unmarshal(text, &fieldsOf); err != nil {
		t.Fatal(err)
	}
	fieldsOf["apiVersion"], fieldsOf["kind"] = eventsv1alpha1.SchemeGroupVersion.String(), "WebhookRecord"
	if kind == watch.Error {
		fieldsOf["apiVersion"], fieldsOf["kind"] = "v1", "Status"
	}
	return map[string]any{"type": kind, "object": fieldsOf}
}
