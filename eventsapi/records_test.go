package eventsapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

func recordIDs(list *eventsv1alpha1.WebhookRecordList) []string {
	ids := []string{}
	for _, r := range list.Items {
		ids = append(ids, r.EventID)
	}
	return ids
}

func TestRecordsAreListedTheNewestLast(t *testing.T) {
	w := newWorld(t, "team/a", "team/b", "foreign/a")
	for i := range 4 {
		at := received.Add(time.Duration(i) * time.Second)
		w.tell("team/a", fmt.Sprint("a", i), audit.Accepted, at)
		w.tell("team/b", fmt.Sprint("b", i), audit.Delivered, at)
	}
	w.tell("foreign/a", "foreign", audit.Accepted, received)
	w.must(w.store.AppendJournal(t.Context(), []store.JournalEntry{{Endpoint: "team/a", Record: []byte("not JSON")}}, nil))
	const path = "/namespaces/team/webhookrecords"
	expect(t, recordIDs(get[eventsv1alpha1.WebhookRecordList](w, path)), []string{"a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"})
	expect(t, recordIDs(get[eventsv1alpha1.WebhookRecordList](w, path+"?limit=3")), []string{"b2", "a3", "b3"})
	expect(t, recordIDs(get[eventsv1alpha1.WebhookRecordList](w, path+"?limit=2&fieldSelector=endpoint%3Da")), []string{"a2", "a3"})
	expect(t, recordIDs(get[eventsv1alpha1.WebhookRecordList](w, path+"?fieldSelector=processingStatus%3Ddelivered,eventID%3Db1")), []string{"b1"})
	w.refuse(http.MethodGet, path+"?fieldSelector=spec.endpoint%3Da", http.StatusBadRequest, "there are metadata.name, endpoint, processingStatus, eventID")

	all := get[eventsv1alpha1.WebhookRecordList](w, path)
	one := all.Items[1]
	if !strings.HasSuffix(one.Name, ".b") || one.Namespace != "team" || one.Endpoint != "b" || one.ProcessingStatus != "delivered" || one.DurationMS != 2 ||
		one.StatusCode != 200 || one.Receiver != "receiver-1" || !one.Time.Equal(&metav1.MicroTime{Time: received.Add(time.Millisecond)}) {
		t.Errorf("the record is %+v", one)
	}
	expect(t, recordIDs(get[eventsv1alpha1.WebhookRecordList](w, path+"?fieldSelector=metadata.name%3D"+one.Name)), []string{"b0"})
}

// Requests that were not authentic have a journal of their own, and people see one list.
func TestRecordsOfStrangersAreListedBesideTheOthers(t *testing.T) {
	w := newWorld(t, "team/a")
	const path = "/namespaces/team/webhookrecords"
	watch := w.watch(path+"?watch=true&resourceVersion=0", "")
	w.tell("team/a", "authentic", audit.Accepted, received)
	w.tell(store.Unauthentic("team/a"), "forged", audit.Rejected, received.Add(time.Second))
	list := get[eventsv1alpha1.WebhookRecordList](w, path)
	expect(t, recordIDs(list), []string{"authentic", "forged"})
	for _, r := range list.Items {
		if r.Endpoint != "a" || r.Namespace != "team" {
			t.Errorf("the record of %s is of %s/%s", r.EventID, r.Namespace, r.Endpoint)
		}
		expect(t, recordIDs(get[eventsv1alpha1.WebhookRecordList](w, path+"?fieldSelector=metadata.name%3D"+r.Name)), []string{r.EventID})
	}
	for _, want := range []string{"authentic", "forged"} {
		if got := watch.record(); got.EventID != want {
			t.Errorf("the watch tells of %s, want %s", got.EventID, want)
		}
	}
}

// watching is a watch that has begun.
type watching struct {
	w        *world
	response *http.Response
	lines    *bufio.Scanner
}

func (w *world) watch(path, accept string) *watching {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.server.URL+base+path, nil)
	w.must(err)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	response, err := w.server.Client().Do(r)
	w.must(err)
	w.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		w.t.Fatalf("the watch is answered by %s", response.Status)
	}
	return &watching{w, response, bufio.NewScanner(response.Body)}
}

// frame is one line of a watch.
type frame struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

func (x *watching) next() frame {
	x.w.t.Helper()
	if !x.lines.Scan() {
		x.w.t.Fatalf("the watch has ended: %v", x.lines.Err())
	}
	var f frame
	x.w.must(json.Unmarshal(x.lines.Bytes(), &f))
	return f
}

func (x *watching) record() eventsv1alpha1.WebhookRecord {
	x.w.t.Helper()
	f := x.next()
	var r eventsv1alpha1.WebhookRecord
	x.w.must(json.Unmarshal(f.Object, &r))
	if f.Type != "ADDED" || r.Kind != "WebhookRecord" {
		x.w.t.Fatalf("the frame is %s %s", f.Type, f.Object)
	}
	return r
}

func TestAWatchTellsOfNewRecords(t *testing.T) {
	w := newWorld(t, "team/a", "foreign/a")
	w.tell("team/a", "old", audit.Accepted, received)
	watch := w.watch("/namespaces/team/webhookrecords?watch=true&fieldSelector=processingStatus%3Daccepted&resourceVersion=0", "application/json;stream=watch, application/json")
	w.tell("foreign/a", "foreign", audit.Accepted, received)
	w.tell("team/a", "of another kind", audit.Delivered, received)
	w.must(w.store.AppendJournal(t.Context(), []store.JournalEntry{{Endpoint: "team/a", Record: []byte("not JSON")}}, nil))
	w.tell("team/a", "new", audit.Accepted, received)
	if got := watch.record(); got.EventID != "new" || got.Endpoint != "a" || got.Namespace != "team" {
		t.Errorf("the watch tells of %+v, want what is new", got)
	}
	w.addEndpoint("team/later")
	w.tell("team/later", "of a new endpoint", audit.Accepted, received)
	if got := watch.record(); got.EventID != "of a new endpoint" {
		t.Errorf("the watch tells of %+v, want the endpoint that came later", got)
	}
}

func TestAWatchGoesOnWhereAListEnded(t *testing.T) {
	w := newWorld(t, "team/a", "team/b")
	w.tell("team/a", "before", audit.Accepted, received)
	all := get[eventsv1alpha1.WebhookRecordList](w, "/namespaces/team/webhookrecords")
	for uint64(time.Now().UnixMilli()) <= millis(all.ResourceVersion) {
		time.Sleep(time.Millisecond) // a version is a millisecond
	}
	w.tell("team/a", "between", audit.Accepted, received)
	watch := w.watch("/namespaces/team/webhookrecords?watch=true&resourceVersion="+all.ResourceVersion, "")
	w.tell("team/b", "after", audit.Accepted, received)
	got := []string{watch.record().EventID, watch.record().EventID}
	expect(t, got, []string{"between", "after"})
}

func TestAWatchEndsInTime(t *testing.T) {
	w := newWorld(t, "team/a")
	limited := w.watch("/namespaces/team/webhookrecords?watch=true&timeoutSeconds=1", "")
	if limited.lines.Scan() {
		t.Errorf("the watch tells of %s, want its end", limited.lines.Text())
	}
	open := w.watch("/namespaces/team/webhookrecords?watch=true", "")
	close(w.closing)
	if open.lines.Scan() {
		t.Errorf("the watch tells of %s, want its end", open.lines.Text())
	}
}

func TestAWatchThatCantGoOnSaysWhy(t *testing.T) {
	w := newWorld(t, "team/a")
	watch := w.watch("/namespaces/team/webhookrecords?watch=true", "")
	w.redis.Kill()
	f := watch.next()
	var status metav1.Status
	w.must(json.Unmarshal(f.Object, &status))
	if f.Type != "ERROR" || status.Code != http.StatusServiceUnavailable {
		t.Errorf("the last frame is %s %s, want an error with code 503", f.Type, f.Object)
	}
}

func TestAWatchCanBeATable(t *testing.T) {
	w := newWorld(t, "team/a")
	watch := w.watch("/namespaces/team/webhookrecords?watch=true", kubectlAccept)
	w.tell("team/a", "one", audit.Accepted, received)
	f := watch.next()
	var table metav1.Table
	w.must(json.Unmarshal(f.Object, &table))
	if f.Type != "ADDED" || table.Kind != "Table" || len(table.Rows) != 1 || len(table.Rows[0].Cells) != len(table.ColumnDefinitions) {
		t.Errorf("the frame is %s %s, want a Table with a row", f.Type, f.Object)
	}
}

func TestWatchesThatCantBe(t *testing.T) {
	w := newWorld(t)
	w.refuse(http.MethodGet, "/namespaces/team/webhookrecords?watch=true&resourceVersion=x", http.StatusBadRequest, "not that of a list")
	w.refuse(http.MethodGet, "/namespaces/team/webhookrecords?watch=true&sendInitialEvents=true", http.StatusUnprocessableEntity, "list the records")
	w.refuse(http.MethodGet, "/namespaces/team/webhookevents?watch=true", http.StatusMethodNotAllowed, "")
	if got := w.do(http.MethodGet, base+"/namespaces/team/webhookrecords?watch=true", "application/yaml", ""); got.code != http.StatusNotAcceptable {
		t.Errorf("a watch in YAML is answered by %d", got.code)
	}
}
