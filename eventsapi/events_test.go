package eventsapi

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// states are the states of events by their ids, in the order of the list: "id=state".
func states(list *eventsv1alpha1.WebhookEventList) []string {
	all := []string{}
	for _, e := range list.Items {
		all = append(all, e.Spec.EventID+"="+string(e.Status.State))
	}
	return all
}

func expect(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func list(w *world, path string) []string {
	w.t.Helper()
	return states(get[eventsv1alpha1.WebhookEventList](w, path))
}

func TestAListTellsWhatHasBecomeOfEvents(t *testing.T) {
	w := newWorld(t, "team/github", "team/other", "foreign/github")
	w.accept("team/github", "pending")
	retried := w.accept("team/github", "retried")
	w.must(w.store.Retry(t.Context(), retried[0], time.Now().Add(time.Hour), store.Failure{Attempts: 2, Error: "no answer"}))
	w.deliver("team/github", "delivered", w.accept("team/github", "delivered")...)
	w.giveUp(w.accept("team/github", "dead")...)
	mixed := w.accept("team/github", "mixed", "a", "b")
	w.giveUp(mixed[0])
	w.accept("team/other", "elsewhere")
	w.accept("foreign/github", "secret")
	w.tell("team/github", "refused", audit.Rejected, received)
	w.tell("team/github", "ignored", audit.Ignored, received)
	w.tell("team/github", "purged", audit.Accepted, received)
	w.tell("team/github", "purged", audit.Purged, received)
	w.tell("team/github", "long ago", audit.Delivered, received.Add(-time.Hour))

	want := []string{"mixed=DeadLettered", "dead=DeadLettered", "delivered=Delivered", "retried=Retrying", "pending=Pending", "long ago=Delivered"}
	expect(t, list(w, "/namespaces/team/webhookevents?fieldSelector=spec.endpoint%3Dgithub"), want)
	expect(t, list(w, "/namespaces/team/webhookevents?fieldSelector=spec.endpoint%3Dgithub&limit=2"), want[:2])
	for selector, want := range map[string][]string{
		"":                      append(slices.Clone(want[:4]), "elsewhere=Pending", "pending=Pending", "long ago=Delivered"),
		"spec.eventID=retried":  {"retried=Retrying"},
		"spec.eventID=nonsense": {},
		"spec.eventID=refused":  {},
		"status.state=Retrying": {"retried=Retrying"},
		"spec.type=pu*":         append(slices.Clone(want[:4]), "elsewhere=Pending", "pending=Pending", "long ago=Delivered"),
		"spec.type=issue":       {},
		"spec.endpoint=github,spec.eventID=delivered": {"delivered=Delivered"},
	} {
		got := list(w, "/namespaces/team/webhookevents?fieldSelector="+selector)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", selector, diff)
		}
	}
	if got := list(w, "/webhookevents"); len(got) != 8 {
		t.Errorf("in all namespaces there are %v, want 8", got)
	}
	expect(t, list(w, "/namespaces/empty/webhookevents"), []string{})
}

func TestAnEventIsCompleteButForItsPayload(t *testing.T) {
	w := newWorld(t, "team/github")
	leases := w.accept("team/github", "one", "b", "a")
	w.giveUp(leases[0])
	w.must(w.store.Retry(t.Context(), leases[1], received.Add(time.Hour), store.Failure{Attempts: 1, Error: "no answer"}))
	name := store.EventName("team/github", "one")
	got := get[eventsv1alpha1.WebhookEvent](w, "/namespaces/team/webhookevents/"+name)
	givenUp := got.Status.Deliveries[1].DeadLetteredTime
	if givenUp == nil || time.Since(givenUp.Time) > time.Minute {
		t.Errorf("it was given up at %v, want now", givenUp)
	}
	next := metav1.NewTime(received.Add(time.Hour).Local())
	expect(t, got, &eventsv1alpha1.WebhookEvent{
		TypeMeta:   metav1.TypeMeta{APIVersion: "events.hooks.sallyport.dev/v1alpha1", Kind: "WebhookEvent"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, CreationTimestamp: metav1.NewTime(received.Local())},
		Spec: eventsv1alpha1.WebhookEventSpec{
			Endpoint: "github", Provider: "github", EventID: "one", Type: "push", RequestID: "request-one", SourceIP: "192.0.2.1",
			ReceivedTime: metav1.NewMicroTime(received.Local()), BodyBytes: 12,
		},
		Status: eventsv1alpha1.WebhookEventStatus{State: eventsv1alpha1.StateDeadLettered, Deliveries: []eventsv1alpha1.DeliveryStatus{
			{Route: "a", State: eventsv1alpha1.StateRetrying, Attempts: 1, LastError: "no answer", NextAttemptTime: &next},
			{Route: "b", State: eventsv1alpha1.StateDeadLettered, Attempts: 3, LastError: "the target answered 500", DeadLetteredTime: givenUp},
		}},
	})

	payload := get[eventsv1alpha1.WebhookEventPayload](w, "/namespaces/team/webhookevents/"+name+"/payload")
	expect(t, payload, &eventsv1alpha1.WebhookEventPayload{
		TypeMeta:   metav1.TypeMeta{APIVersion: "events.hooks.sallyport.dev/v1alpha1", Kind: "WebhookEventPayload"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, CreationTimestamp: metav1.NewTime(received.Local())},
		Method:     "POST", URL: "https://hooks.example.com/team/github", Query: "order=42&odd=\uFFFD", Headers: map[string][]string{"Content-Type": {"application/json"}, "X-Odd": {"a\uFFFDb"}}, Body: []byte(`{"id":"one"}`),
	})
}

// A name says nothing about where an event belongs; the API has to.
func TestNothingOfAnotherNamespaceIsFound(t *testing.T) {
	w := newWorld(t, "team/github", "foreign/github")
	pending, delivered := store.EventName("foreign/github", "pending"), store.EventName("foreign/github", "delivered")
	w.giveUp(w.accept("foreign/github", "pending")...)
	w.deliver("foreign/github", "delivered", w.accept("foreign/github", "delivered")...)
	get[eventsv1alpha1.WebhookEvent](w, "/namespaces/foreign/webhookevents/"+pending)
	get[eventsv1alpha1.WebhookEvent](w, "/namespaces/foreign/webhookevents/"+delivered)

	for _, path := range []string{
		pending, delivered, pending + "/payload", delivered + "/payload", "nonsense", store.EventName("team/github", "never"), "nonsense/payload",
	} {
		w.refuse(http.MethodGet, "/namespaces/team/webhookevents/"+path, http.StatusNotFound, "")
	}
	w.refuse(http.MethodDelete, "/namespaces/team/webhookevents/"+pending, http.StatusNotFound, "not found")
	for _, query := range []string{
		"?fieldSelector=metadata.name%3D" + pending, "?fieldSelector=spec.eventID%3Dpending", "?fieldSelector=status.state%3DDeadLettered",
		"?fieldSelector=status.state%3DDeadLettered&continue=" + position{endpoint: "foreign/github"}.String(),
		"?fieldSelector=spec.endpoint%3D..%2Fforeign%2Fgithub", "?fieldSelector=spec.endpoint%3Dforeign%2Fgithub",
	} {
		expect(t, list(w, "/namespaces/team/webhookevents"+query), []string{})
	}
	if _, err := w.store.Payload(t.Context(), pending); err != nil {
		t.Errorf("the event of the other namespace is gone: %v", err)
	}
}

func TestDeadLettersAreListedPageByPage(t *testing.T) {
	w := newWorld(t, "team/a", "team/b", "team/c", "foreign/a")
	want := []string{}
	for _, endpoint := range []string{"team/a", "team/c"} {
		for i := range 7 {
			id := fmt.Sprint(endpoint[5:], i)
			w.giveUp(w.accept(endpoint, id, "x", "y")...)
			want = append(want, id)
		}
	}
	w.accept("team/b", "pending")
	w.giveUp(w.accept("foreign/a", "foreign")...)
	got, pages, next := []string{}, 0, ""
	for {
		page := get[eventsv1alpha1.WebhookEventList](w, "/namespaces/team/webhookevents?limit=3&fieldSelector=status.state%3DDeadLettered&continue="+next)
		if pages++; pages > 20 {
			t.Fatal("the pages have no end")
		}
		for _, e := range page.Items {
			got = append(got, e.Spec.EventID)
		}
		if next = page.Continue; next == "" {
			break
		}
	}
	slices.Sort(got)
	expect(t, got, want)
	if pages < 4 {
		t.Errorf("there were %d pages, want some", pages)
	}
	expect(t, list(w, "/namespaces/team/webhookevents?fieldSelector=status.state%3DDeadLettered,spec.endpoint%3Dc,spec.eventID%3Dc3"), []string{"c3=DeadLettered"})
	expect(t, list(w, "/namespaces/team/webhookevents?fieldSelector=status.state%3DDeadLettered,spec.type%3Dno*"), []string{})
	for _, token := range []string{"nonsense", "!!!", position{"team/a", "nonsense"}.String(), position{"team/a", "OTk5IDAgeA"}.String()} {
		w.refuse(http.MethodGet, "/namespaces/team/webhookevents?fieldSelector=status.state%3DDeadLettered&continue="+token, http.StatusBadRequest, "continue token")
	}
}

func TestQueriesThatAreNotUnderstoodAreRefused(t *testing.T) {
	w := newWorld(t, "team/github")
	for query, says := range map[string]string{
		"?fieldSelector=spec.nonsense%3Da":                           "there are metadata.name, spec.endpoint, spec.type, spec.eventID, status.state",
		"?fieldSelector=spec.endpoint!%3Da":                          "spec.endpoint=value only",
		"?fieldSelector=spec.endpoint%3Da,spec.endpoint%3Db":         "given twice",
		"?fieldSelector=spec.endpoint%3Da&fieldSelector=spec.type=b": "one field selector",
		"?fieldSelector=spec.endpoint":                               "can't be read",
		"?fieldSelector=status.state%3Ddead":                         "there are DeadLettered, Retrying, Held, Pending, Delivered",
		"?fieldSelector=metadata.name%3D":                            "is empty",
		"?labelSelector=a%3Db":                                       "no labels",
		"?limit=many":                                                "no number",
		"?limit=-1":                                                  "no number",
		"?timeoutSeconds=soon":                                       "no number",
		"?includeObject=Everything":                                  "None, Metadata and Object",
	} {
		w.refuse(http.MethodGet, "/namespaces/team/webhookevents"+query, http.StatusBadRequest, says)
	}
}

func TestRedisThatIsAwayIsNamed(t *testing.T) {
	w := newWorld(t, "team/github")
	w.redis.Kill()
	for _, path := range []string{
		"webhookevents", "webhookevents/" + store.EventName("team/github", "one"), "webhookevents/" + store.EventName("team/github", "one") + "/payload",
		"webhookevents?fieldSelector=status.state%3DDeadLettered", "webhookrecords", "webhookrecords?watch=true", "webhookqueues", "webhookqueues/github",
	} {
		w.refuse(http.MethodGet, "/namespaces/team/"+path, http.StatusServiceUnavailable, "Redis, which has the events, does not answer")
	}
}
