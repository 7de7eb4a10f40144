package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// stubbed calls the program at noon, with a stub.
func stubbed(t *testing.T, s *stub, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return call{now: func() time.Time { return noon }}.run(t, append(s.serve(t), args...)...)
}

// rows are the cells of a table, line by line.
func rows(text string) [][]string {
	var found [][]string
	for line := range strings.Lines(text) {
		found = append(found, strings.Fields(line))
	}
	return found
}

func someStub() *stub {
	next := metav1.NewTime(noon.Add(30 * time.Second))
	retrying := eventsv1alpha1.DeliveryStatus{State: eventsv1alpha1.StateRetrying, Attempts: 3, LastError: "connection refused", NextAttemptTime: &next}
	return &stub{
		events: []eventsv1alpha1.WebhookEvent{
			someEvent("evt_old", 60, eventsv1alpha1.StateDeadLettered, givenUp("", 10), givenUp("invoices", 5)),
			someEvent("evt_new", 1, eventsv1alpha1.StateDelivered),
			someEvent("evt_mid", 30, eventsv1alpha1.StateRetrying, retrying),
		},
		records: []eventsv1alpha1.WebhookRecord{someRecord(1, "accepted", "evt_old"), someRecord(2, "dead_lettered", "evt_old")},
	}
}

func TestEventsAreShownNewestFirst(t *testing.T) {
	s := someStub()
	stdout, _, err := stubbed(t, s, "events", "stripe")
	if err != nil {
		t.Fatal(err)
	}
	got := rows(stdout)
	if len(got) != 4 || got[0][0] != "EVENT" || got[1][0] != "evt_new" || got[2][0] != "evt_mid" || got[3][0] != "evt_old" {
		t.Fatalf("the table is\n%s", stdout)
	}
	wantContains(t, stdout, "the target answered 500 \ufffd[31m", "connection refused", "60m", "Delivered")
	if asked := s.requests(http.MethodGet); !strings.Contains(asked[1], "fieldSelector=spec.endpoint%3Dstripe") {
		t.Errorf("it asks %q", asked)
	}

	stdout, _, err = stubbed(t, s, "events", "-A", "--limit", "1", "--no-headers", "-o", "wide")
	if err != nil || len(rows(stdout)) != 1 || !strings.HasPrefix(stdout, "billing") {
		t.Errorf("the table of one event is (%v)\n%s", err, stdout)
	}
	wantContains(t, stdout, "2.0KiB", "192.0.2.7", s.events[1].Name)

	stdout, stderr, err := stubbed(t, s, "events", "--type", "charge.*", "--type", "x")
	if err != nil || stdout != "" || !strings.Contains(stderr, "There are no such events in the namespace billing.") {
		t.Errorf("no events are %q and %q (%v)", stdout, stderr, err)
	}
}

func TestReadCommandsPrintObjects(t *testing.T) {
	s := someStub()
	s.queues = []eventsv1alpha1.WebhookQueue{{ObjectMeta: metav1.ObjectMeta{Namespace: "billing", Name: "stripe"}, Pending: 3}}
	for command, kind := range map[string]string{
		"events stripe": "WebhookEventList", "dead": "WebhookEventList", "stats": "WebhookQueueList", "stats stripe": "WebhookQueue", "show evt_old": "WebhookEvent",
	} {
		stdout, _, err := stubbed(t, s, append(strings.Fields(command), "-o", "json")...)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		var object struct {
			metav1.TypeMeta
			Items []metav1.TypeMeta
		}
		if err := json.Unmarshal([]byte(stdout), &object); err != nil || object.Kind != kind || object.APIVersion != eventsv1alpha1.SchemeGroupVersion.String() {
			t.Errorf("%s prints %+v (%v), want a %s", command, object, err, kind)
		}
		for _, item := range object.Items {
			if item.Kind != strings.TrimSuffix(kind, "List") {
				t.Errorf("%s has items without a kind", command)
			}
		}
		stdout, _, err = stubbed(t, s, append(strings.Fields(command), "-o", "yaml")...)
		if err != nil || !strings.Contains(stdout, "kind: "+kind) {
			t.Errorf("%s prints (%v)\n%s", command, err, stdout)
		}
	}
	_, _, err := stubbed(t, s, "events", "-o", "table")
	wantError(t, err, "--output", `"table"`, "yaml")
	stdout, _, err := stubbed(t, s, "dead", "-o", "name")
	if err != nil || stdout != "webhookevent.events.hooks.sallyport.dev/"+s.events[0].Name+"\n" {
		t.Errorf("the name is %q (%v)", stdout, err)
	}
}

func TestDeadHasARowForEachDelivery(t *testing.T) {
	s := someStub()
	s.events = append(s.events, someEvent("evt_2", 90, eventsv1alpha1.StateDeadLettered, givenUp("", 80)))
	s.pageSize = 1
	stdout, _, err := stubbed(t, s, "dead", "stripe")
	if err != nil {
		t.Fatal(err)
	}
	if got := rows(stdout); len(got) != 4 || got[1][0] != "evt_old" || got[1][2] != "(target)" || got[2][3] != "invoices" || got[3][0] != "evt_2" {
		t.Errorf("the table is\n%s", stdout)
	}
}

func TestShowDescribesAnEvent(t *testing.T) {
	s := someStub()
	s.payload = &eventsv1alpha1.WebhookEventPayload{
		Method: "POST", URL: "https://hooks.example.com/billing/stripe", Query: "order=42\x1b[2J",
		Headers: map[string][]string{"X-B": {"two\x1b[2J"}, "X-A": {"one"}}, Body: []byte(`{"id":"evt_old"}`),
	}
	stdout, stderr, err := stubbed(t, s, "show", "evt_old", "--payload")
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stdout, "evt_old", "billing/stripe", "(60m ago) from 192.0.2.7", "2.0KiB", "req-evt_old", s.events[0].Name, "DeadLettered",
		"route invoices", "given up 5m ago", "accepted", "dead_lettered", "X-A: one\n  X-B: two\ufffd[2J",
		"POST https://hooks.example.com/billing/stripe?order=42\ufffd[2J\n", "{\n  \"id\": \"evt_old\"\n}")
	wantContains(t, stderr, "kubectl hooks replay billing/stripe evt_old")

	if stdout, _, err = stubbed(t, s, "show", "evt_old", "--body"); err != nil || stdout != `{"id":"evt_old"}` {
		t.Errorf("the body is %q (%v)", stdout, err)
	}
	stdout, _, err = stubbed(t, s, "show", "evt_mid")
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stdout, "next attempt in 30s", "connection refused")
	_, _, err = stubbed(t, s, "show", "evt_none")
	wantError(t, err, "there is no event evt_none in the namespace billing", "kubectl hooks events")
	s.events = append(s.events, s.events[0])
	s.events[3].Spec.Endpoint = "other"
	_, _, err = stubbed(t, s, "show", "evt_old")
	wantError(t, err, "several endpoints have an event evt_old", "--endpoint", "other, stripe")
}

func TestShowDoesWithoutTheRightToRecords(t *testing.T) {
	s := someStub()
	s.refuse = map[string]int{"webhookrecords": http.StatusForbidden}
	stdout, _, err := stubbed(t, s, "show", "evt_old")
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stdout, "you may not list webhookrecords")
}

func TestPurgeRemovesWhatIsMeant(t *testing.T) {
	for name, test := range map[string]struct {
		args    []string
		removed []string
		says    string
	}{
		"all":                 {[]string{"--all", "--yes"}, []string{"evt_old", "evt_2"}, "Removed the dead letters of 2 events."},
		"one":                 {[]string{"evt_2", "--yes"}, []string{"evt_2"}, "of 1 event."},
		"old":                 {[]string{"--older-than", "1h", "--yes"}, []string{"evt_2"}, "of 1 event."},
		"partly old":          {[]string{"--older-than", "7m", "--yes"}, []string{"evt_2"}, "of 1 event."},
		"dry run":             {[]string{"--all", "--dry-run"}, nil, "3 dead letters (of 2 events) of billing/stripe would be removed"},
		"nothing is meant":    {[]string{"--yes"}, nil, "say which dead letters to remove"},
		"without a terminal":  {[]string{"--all"}, nil, "give --yes"},
		"an event is missing": {[]string{"evt_2", "evt_mid", "--yes"}, nil, "there is no dead letter of evt_mid"},
		"no event":            {[]string{"--type", "x", "--type", "y", "--yes"}, nil, "There are no such dead letters"},
		"contradiction":       {[]string{"evt_2", "--all", "--yes"}, nil, "leave it out, or the EVENTs"},
		"an empty flag":       {[]string{"--all", "--older-than", "", "--yes"}, nil, "--older-than is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			s := someStub()
			s.events = append(s.events, someEvent("evt_2", 90, eventsv1alpha1.StateDeadLettered, givenUp("", 80)))
			stdout, stderr, err := stubbed(t, s, append([]string{"purge", "stripe"}, test.args...)...)
			said := stdout + stderr
			if err != nil {
				said += err.Error()
			}
			wantContains(t, said, test.says)
			var removed []string
			for _, request := range s.requests(http.MethodDelete) {
				for _, e := range s.events {
					if strings.HasSuffix(request, e.Name) {
						removed = append(removed, e.Spec.EventID)
					}
				}
			}
			slices.Sort(removed)
			slices.Sort(test.removed)
			if !slices.Equal(removed, test.removed) {
				t.Errorf("%q are removed, want %q", removed, test.removed)
			}
		})
	}
}

func TestPurgeTellsWhatIsLeft(t *testing.T) {
	for status, says := range map[int]string{
		http.StatusConflict: "Left as it is: evt_old: refused by the stub", http.StatusNotFound: "Of 1 event there was nothing left to remove.",
		http.StatusForbidden: "the dead letters of 1 event could not be removed", http.StatusInternalServerError: "could not be removed",
	} {
		s := someStub()
		s.refuse = map[string]int{http.MethodDelete: status}
		_, stderr, err := stubbed(t, s, "purge", "stripe", "--all", "--yes")
		if err != nil {
			stderr += err.Error()
		}
		wantContains(t, stderr, says)
	}
}

func TestStatsAreATable(t *testing.T) {
	at := func(minutes int) *metav1.Time {
		return &metav1.Time{Time: noon.Add(-time.Duration(minutes) * time.Minute)}
	}
	s := &stub{queues: []eventsv1alpha1.WebhookQueue{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "billing", Name: "stripe"}, Pending: 3, Held: 2, DeadLetters: 1, Bytes: 5 << 20,
		LastReceivedTime: at(1), LastDeliveredTime: at(20),
	}}}
	stdout, _, err := stubbed(t, s, "stats")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rows(stdout)[1], []string{"stripe", "TargetNotFound", "yes", "3", "2", "1", "5.0MiB", "60s", "20m", "-"}; !slices.Equal(got, want) {
		t.Errorf("the row is %q, want %q", got, want)
	}
	s.refuse = map[string]int{"webhookendpoints": http.StatusForbidden}
	stdout, _, err = stubbed(t, s, "stats", "-A")
	if err != nil || rows(stdout)[1][2] != "-" {
		t.Errorf("without the right to see endpoints it prints (%v)\n%s", err, stdout)
	}
}

func TestErrorsOfTheEventsAPISayWhatToDo(t *testing.T) {
	for status, says := range map[int]string{
		http.StatusForbidden: "ask whoever administers the cluster", http.StatusInternalServerError: "refused by the stub",
	} {
		s := someStub()
		s.refuse = map[string]int{"webhookevents": status}
		_, _, err := stubbed(t, s, "events")
		wantError(t, err, says)
	}
}
