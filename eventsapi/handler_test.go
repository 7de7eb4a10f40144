package eventsapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/yaml"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
)

const (
	// kubectlAccept is what kubectl get asks for.
	kubectlAccept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
	protobuf      = "application/vnd.kubernetes.protobuf"
)

func TestQueuesCountWhatIsStored(t *testing.T) {
	w := newWorld(t, "team/github", "team/quiet", "foreign/github")
	w.accept("team/github", "one")
	w.giveUp(w.accept("team/github", "two")...)
	at := received
	w.must(w.store.AppendJournal(t.Context(), nil, map[string]store.TrafficDelta{"team/github": {Received: at, Rejected: at.Add(time.Minute)}}))
	all := get[eventsv1alpha1.WebhookQueueList](w, "/namespaces/team/webhookqueues")
	if len(all.Items) != 2 || all.Items[0].Name != "github" || all.Items[1].Name != "quiet" {
		t.Fatalf("the queues are %+v", all.Items)
	}
	q := all.Items[0]
	if q.Pending != 1 || q.DeadLetters != 1 || q.Held != 0 || q.Bytes == 0 || q.LastReceivedTime == nil || !q.LastReceivedTime.Time.Equal(at) || q.LastDeliveredTime != nil || !q.LastRejectedTime.Time.Equal(at.Add(time.Minute)) {
		t.Errorf("the queue is %+v", q)
	}
	if quiet := all.Items[1]; quiet.Pending+quiet.DeadLetters+quiet.Bytes != 0 || quiet.LastReceivedTime != nil {
		t.Errorf("the queue of an endpoint without events is %+v", quiet)
	}
	expect(t, get[eventsv1alpha1.WebhookQueue](w, "/namespaces/team/webhookqueues/github"), &q)
	if got := len(get[eventsv1alpha1.WebhookQueueList](w, "/webhookqueues").Items); got != 3 {
		t.Errorf("in all namespaces there are %d, want 3", got)
	}
	w.refuse(http.MethodGet, "/namespaces/team/webhookqueues/nonsense", http.StatusNotFound, "not found")
}

func TestDiscoveryTellsWhatThereIs(t *testing.T) {
	w := newWorld(t)
	w.deny = func(*request.RequestInfo) bool { return true } // everybody may know
	groups := read[metav1.APIGroupList](w, w.do(http.MethodGet, "/apis", "", ""), http.StatusOK)
	group := read[metav1.APIGroup](w, w.do(http.MethodGet, "/apis/events.hooks.sallyport.dev", "", ""), http.StatusOK)
	if len(groups.Groups) != 1 || groups.Groups[0].Name != group.Name || group.PreferredVersion.Version != "v1alpha1" {
		t.Errorf("the groups are %+v and %+v", groups, group)
	}
	resources := read[metav1.APIResourceList](w, w.do(http.MethodGet, base, "", ""), http.StatusOK)
	var names []string
	for _, r := range resources.APIResources {
		names = append(names, r.Name)
		if !r.Namespaced {
			t.Errorf("%s is not namespaced", r.Name)
		}
		// What is deleted with a namespace, or mirrored by tools, is none of these.
		for _, verb := range []string{"delete", "deletecollection", "watch"} {
			if slices.Contains(r.Verbs, verb) {
				t.Errorf("%s announces %s", r.Name, verb)
			}
		}
	}
	expect(t, names, []string{"webhookevents", "webhookevents/payload", "webhookrecords", "webhookqueues"})
	for _, path := range []string{"/", "/openapi/v3", "/openapi/v2", "/healthz", "/apis/other", "/api", "/metrics"} {
		if got := w.do(http.MethodGet, path, "", ""); got.code != http.StatusNotFound {
			t.Errorf("%s is answered by %d, want 404", path, got.code)
		}
	}
	if got := w.do(http.MethodPost, base, "", ""); got.code != http.StatusMethodNotAllowed {
		t.Errorf("a POST to the group is answered by %d, want 405", got.code)
	}
}

// What the API server asks about, and what is answered, must be the same.
func TestARequestIsAuthorizedForWhatItReads(t *testing.T) {
	w := newWorld(t, "team/github")
	w.giveUp(w.accept("team/github", "one")...)
	name := store.EventName("team/github", "one")
	for _, test := range []struct {
		method, path, verb, resource, subresource, namespace, name string
	}{
		{"GET", "/namespaces/team/webhookevents", "list", "webhookevents", "", "team", ""},
		{"GET", "/webhookevents", "list", "webhookevents", "", "", ""},
		{"GET", "/namespaces/team/webhookevents/" + name, "get", "webhookevents", "", "team", name},
		{"GET", "/namespaces/team/webhookevents?fieldSelector=metadata.name%3D" + name, "list", "webhookevents", "", "team", name},
		{"GET", "/namespaces/team/webhookevents/" + name + "/payload", "get", "webhookevents", "payload", "team", name},
		{"DELETE", "/namespaces/team/webhookevents/" + name, "delete", "webhookevents", "", "team", name},
		{"DELETE", "/namespaces/team/webhookevents?fieldSelector=spec.endpoint%3Dgithub", "deletecollection", "webhookevents", "", "team", ""},
		{"GET", "/namespaces/team/webhookrecords", "list", "webhookrecords", "", "team", ""},
		{"GET", "/namespaces/team/webhookrecords?watch=true", "watch", "webhookrecords", "", "team", ""},
		{"GET", "/watch/namespaces/team/webhookrecords", "watch", "webhookrecords", "", "team", ""},
		{"GET", "/namespaces/team/webhookqueues/github", "get", "webhookqueues", "", "team", "github"},
	} {
		var asked *request.RequestInfo
		w.deny = func(info *request.RequestInfo) bool { asked = info; return true }
		got := read[metav1.Status](w, w.do(test.method, base+test.path, "", ""), http.StatusForbidden)
		if asked == nil || asked.Verb != test.verb || asked.APIGroup != "events.hooks.sallyport.dev" || asked.Resource != test.resource ||
			asked.Subresource != test.subresource || asked.Namespace != test.namespace || asked.Name != test.name {
			t.Errorf("%s %s asks for %+v", test.method, test.path, asked)
		}
		if !strings.Contains(got.Message, `User "alice" cannot `+test.verb) {
			t.Errorf("%s %s is refused by %q", test.method, test.path, got.Message)
		}
	}
	w.deny = nil
	if records := w.records.taken(); len(records) != 0 {
		t.Errorf("what was refused has happened: %+v", records)
	}
}

func TestWhatThereIsNotIsNotServed(t *testing.T) {
	w := newWorld(t, "team/github")
	name := store.EventName("team/github", "one")
	w.accept("team/github", "one")
	for path, code := range map[string]int{
		"GET /namespaces/team/secrets":                                    404,
		"GET /namespaces/team":                                            404,
		"GET /namespaces/team/webhookevents/" + name + "/status":          404,
		"GET /namespaces/team/webhookevents/" + name + "/payload/headers": 404,
		"GET /namespaces/team/webhookqueues/github/payload":               404,
		"GET /webhookevents/" + name:                                      405,
		"DELETE /webhookevents/" + name:                                   405,
		"DELETE /webhookevents?fieldSelector=spec.endpoint%3Dgithub":      400,
		"GET /webhookevents/" + name + "/payload":                         405,
		"GET /namespaces/team/webhookrecords/some":                        405,
		"POST /namespaces/team/webhookevents":                             405,
		"PUT /namespaces/team/webhookevents/" + name:                      405,
		"PATCH /namespaces/team/webhookevents/" + name:                    405,
		"DELETE /namespaces/team/webhookqueues/github":                    405,
		"DELETE /namespaces/team/webhookrecords":                          405,
		"DELETE /namespaces/team/webhookevents/" + name + "/payload":      405,
	} {
		method, rest, _ := strings.Cut(path, " ")
		got := w.do(method, base+rest, "", "")
		var status metav1.Status
		if err := json.Unmarshal(got.body, &status); err != nil || got.code != code || status.Code != int32(code) {
			t.Errorf("%s is answered by %d %s, want a Status with code %d", path, got.code, got.body, code)
		}
	}
	if got := w.do(http.MethodGet, "/apis/events.hooks.sallyport.dev/v1/namespaces/team/webhookevents", "", ""); got.code != http.StatusNotFound {
		t.Errorf("another version is answered by %d, want 404", got.code)
	}
	if got := w.do(http.MethodGet, "/apis/hooks.sallyport.dev/v1alpha1/namespaces/team/webhookevents", "", ""); got.code != http.StatusNotFound {
		t.Errorf("another group is answered by %d, want 404", got.code)
	}
}

func TestAnswersAreOfTheFormThatIsAskedFor(t *testing.T) {
	w := newWorld(t, "team/github")
	w.giveUp(w.accept("team/github", "one")...)
	const events = base + "/namespaces/team/webhookevents"
	payload := events + "/" + store.EventName("team/github", "one") + "/payload"
	for _, test := range []struct {
		path, accept string
		code         int
		kind, form   string
	}{
		{events, "", 200, "WebhookEventList", "application/json"},
		{events, "*/*", 200, "WebhookEventList", "application/json"},
		{events, protobuf + ",application/json", 200, "WebhookEventList", "application/json"},
		{events, "application/yaml", 200, "WebhookEventList", "application/yaml"},
		{events, kubectlAccept, 200, "Table", "application/json"},
		{events, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json", 200, "WebhookEventList", "application/json"},
		{payload, kubectlAccept, 200, "WebhookEventPayload", "application/json"},
		{base + "/namespaces/team/webhookqueues", kubectlAccept, 200, "Table", "application/json"},
		{base + "/namespaces/team/webhookrecords", kubectlAccept, 200, "Table", "application/json"},
		{events + "/nonsense", kubectlAccept, 404, "Status", "application/json"},
		{events + "/nonsense", "application/yaml", 404, "Status", "application/yaml"},
		{events, protobuf, 406, "Status", "application/json"},
		{events, "text/html", 406, "Status", "application/json"},
		{events, "application/json;as=Table;v=v1beta1;g=meta.k8s.io", 406, "Status", "application/json"},
		{events, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", 406, "Status", "application/json"},
	} {
		got := w.do(http.MethodGet, test.path, test.accept, "")
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal(got.body, &meta); err != nil || got.code != test.code || meta.Kind != test.kind || got.header.Get("Content-Type") != test.form {
			t.Errorf("%s of %s is answered by %d %s (%s), want %+v", test.accept, test.path, got.code, meta.Kind, got.header.Get("Content-Type"), test)
		}
	}
}

func TestTablesAreForPeople(t *testing.T) {
	w := newWorld(t, "team/github")
	w.giveUp(w.accept("team/github", "one")...)
	name := store.EventName("team/github", "one")
	const events = base + "/namespaces/team/webhookevents"
	for query, object := range map[string]string{"": "PartialObjectMetadata", "?includeObject=Object": "WebhookEvent", "?includeObject=None": ""} {
		table := read[metav1.Table](w, w.do(http.MethodGet, events+query, kubectlAccept, ""), http.StatusOK)
		if len(table.Rows) != 1 || len(table.Rows[0].Cells) != len(table.ColumnDefinitions) || table.ColumnDefinitions[0].Format != "name" {
			t.Fatalf("the table is %+v", table)
		}
		cells := table.Rows[0].Cells
		expect(t, slices.Delete(slices.Clone(cells), 5, 6), []any{name, "github", "push", "DeadLettered", 3.0, "one", "github", 12.0, "the target answered 500"})
		var meta metav1.PartialObjectMetadata
		if object != "" {
			w.must(json.Unmarshal(table.Rows[0].Object.Raw, &meta))
		}
		if meta.Kind != object || object != "" && (meta.Name != name || meta.Namespace != "team") {
			t.Errorf("%s: the row is about %+v, want a %s", query, meta, object)
		}
	}
	empty := read[metav1.Table](w, w.do(http.MethodGet, base+"/namespaces/empty/webhookevents", kubectlAccept, ""), http.StatusOK)
	if len(empty.Rows) != 0 || len(empty.ColumnDefinitions) == 0 {
		t.Errorf("an empty table is %+v", empty)
	}
	one := read[metav1.Table](w, w.do(http.MethodGet, events+"/"+name, kubectlAccept, ""), http.StatusOK)
	if len(one.Rows) != 1 || len(one.ColumnDefinitions) == 0 {
		t.Errorf("the table of one event is %+v", one)
	}
}

func TestAPanicEndsOneRequest(t *testing.T) {
	w := newWorld(t, "team/github")
	w.deny = func(*request.RequestInfo) bool { panic("a mistake") }
	w.refuse(http.MethodGet, "/namespaces/team/webhookevents", http.StatusInternalServerError, "see the log of the manager")
	w.deny = nil
	expect(t, list(w, "/namespaces/team/webhookevents"), []string{})
}

func TestRequestsAtOneTimeAreBounded(t *testing.T) {
	places := make(chan struct{}, 1)
	leave, err := enter(places)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enter(places); err == nil || statusOfError(err).Code != http.StatusTooManyRequests {
		t.Errorf("one too many is told %v, want 429", err)
	}
	leave()
	if _, err := enter(places); err != nil {
		t.Errorf("there is no place although one is free: %v", err)
	}
}
