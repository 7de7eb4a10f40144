package eventsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

func (w *world) deleted(path, body string) *metav1.Status {
	w.t.Helper()
	status := read[metav1.Status](w, w.do(http.MethodDelete, base+path, "", body), http.StatusOK)
	if status.Status != metav1.StatusSuccess {
		w.t.Errorf("the answer is %+v, want success", status)
	}
	return status
}

func purgedOf(status *metav1.Status) string {
	for _, c := range status.Details.Causes {
		if c.Type == CausePurged {
			return c.Message
		}
	}
	return ""
}

func TestDeletingAnEventPurgesItsDeadLetters(t *testing.T) {
	w := newWorld(t, "team/github")
	w.giveUp(w.accept("team/github", "one", "a", "b")...)
	w.giveUp(w.accept("team/github", "two")...)
	name := store.EventName("team/github", "one")
	path := "/namespaces/team/webhookevents/" + name

	for _, dry := range []struct{ query, body string }{{"?dryRun=All", ""}, {"", `{"kind":"DeleteOptions","apiVersion":"v1","dryRun":["All"]}`}} {
		if got := purgedOf(w.deleted(path+dry.query, dry.body)); got != "2" {
			t.Errorf("the dry run %v would purge %s, want 2", dry, got)
		}
	}
	expect(t, list(w, "/namespaces/team/webhookevents"), []string{"two=DeadLettered", "one=DeadLettered"})

	status := w.deleted(path, "")
	if purgedOf(status) != "2" || status.Details.Name != name {
		t.Errorf("the answer is %+v, want that 2 are purged", status)
	}
	w.refuse(http.MethodGet, "/namespaces/team/webhookevents/"+name, http.StatusNotFound, "not found")
	w.refuse(http.MethodDelete, "/namespaces/team/webhookevents/"+name, http.StatusNotFound, "not found")
	expect(t, list(w, "/namespaces/team/webhookevents"), []string{"two=DeadLettered"})
	if _, err := w.store.Payload(t.Context(), name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the payload is still there: %v", err)
	}
	records := w.records.taken()
	if len(records) != 2 {
		t.Fatalf("there are the audit records %+v, want 2", records)
	}
	for _, r := range records {
		if r.Status != audit.Purged || r.Endpoint != "team/github" || r.EventID != "one" || r.EndpointUID != "uid-of-team/github" ||
			r.RequestID != "request-one" || !strings.Contains(r.ErrorMessage, `purged by "alice"`) {
			t.Errorf("the audit record is %+v", r)
		}
	}
}

func TestOnlyDeadLettersCanBeDeleted(t *testing.T) {
	w := newWorld(t, "team/github")
	w.accept("team/github", "pending")
	w.deliver("team/github", "delivered", w.accept("team/github", "delivered")...)
	mixed := w.accept("team/github", "mixed", "a", "b")
	w.giveUp(mixed[0])
	for id, says := range map[string]string{
		"pending": "its delivery to the target is not done (Pending)", "delivered": "it is delivered", "mixed": `its delivery to the route "b" is not done (Pending)`,
	} {
		w.refuse(http.MethodDelete, "/namespaces/team/webhookevents/"+store.EventName("team/github", id), http.StatusConflict, says)
	}
	w.giveUp(mixed[1])
	path := base + "/namespaces/team/webhookevents/" + store.EventName("team/github", "mixed")
	for body, code := range map[string]int{
		`{"preconditions":{"uid":"a"}}`: http.StatusConflict, `{"dryRun":["Some"]}`: http.StatusBadRequest, `nonsense`: http.StatusBadRequest,
		strings.Repeat(" ", maxBody+1): http.StatusRequestEntityTooLarge,
	} {
		if got := w.do(http.MethodDelete, path, "", body); got.code != code {
			t.Errorf("the body %.40q is answered by %d %s, want %d", body, got.code, got.body, code)
		}
	}
	if records := w.records.taken(); len(records) != 0 {
		t.Errorf("there are audit records of what did not happen: %+v", records)
	}
}

func TestACollectionIsTheDeadLettersOfOneEndpoint(t *testing.T) {
	w := newWorld(t, "team/github", "team/other", "foreign/github")
	for i := range 20 {
		w.giveUp(w.accept("team/github", fmt.Sprint(i))...)
	}
	w.accept("team/github", "pending")
	w.giveUp(w.accept("team/other", "other")...)
	w.giveUp(w.accept("foreign/github", "foreign")...)

	for query, says := range map[string]string{
		"": "name the endpoint", "?fieldSelector=spec.type%3Dpush": "name the endpoint",
		"?fieldSelector=spec.endpoint%3Dgithub,status.state%3DPending":  "only status.state=DeadLettered",
		"?fieldSelector=spec.endpoint%3Dgithub,metadata.name%3Da":       "by its name",
		"?fieldSelector=spec.endpoint%3Dgithub&labelSelector=a%3Db":     "no labels",
		"?fieldSelector=spec.endpoint%3Dgithub,spec.receivedAt%3D1":     "no field selector",
		"?fieldSelector=spec.endpoint%3Dgithub,spec.endpoint%3Dforeign": "given twice",
	} {
		w.refuse(http.MethodDelete, "/namespaces/team/webhookevents"+query, http.StatusBadRequest, says)
	}
	const of = "/namespaces/team/webhookevents?fieldSelector=spec.endpoint%3Dgithub"
	for _, step := range []struct {
		query, purged string
		more          bool
	}{
		{",spec.type%3Dother", "0", false}, {"&dryRun=All", "20", false}, {",spec.eventID%3D7", "1", false}, {"&limit=5", "5", true}, {"", "14", false}, {"", "0", false},
	} {
		status := w.deleted(of+step.query, "")
		if got := purgedOf(status); got != step.purged || (status.Continue != "") != step.more {
			t.Errorf("%s: %+v, want that %s are purged", step.query, status, step.purged)
		}
	}
	expect(t, list(w, "/namespaces/team/webhookevents"), []string{"pending=Pending", "other=DeadLettered"})
	expect(t, list(w, "/namespaces/foreign/webhookevents"), []string{"foreign=DeadLettered"})
	if got := len(w.records.taken()); got != 20 {
		t.Errorf("there are %d audit records, want 20", got)
	}
}
