package system

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/pki"
)

// pathOf is the path of a resource of the events API in a namespace.
func pathOf(namespace, resource string) string {
	return "/apis/events.hooks.sallyport.dev/v1alpha1/namespaces/" + namespace + "/" + resource
}

// tryKubectl runs kubectl in the namespace of this world.
func (w *world) tryKubectl(args ...string) (output string, err error) {
	w.t.Helper()
	both, err := exec.CommandContext(w.ctx, shared.Kubectl, append([]string{"--kubeconfig", shared.Kubeconfig, "-n", w.namespace}, args...)...).CombinedOutput()
	return string(both), err
}

// grant binds a ClusterRole of config/rbac to a user, in the namespace of this world.
func (w *world) grant(user, role string) {
	w.t.Helper()
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: user + "-" + role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	})
	resource := eventsv1alpha1.ResourceWebhookEvents // in each of these roles
	w.awaitRight(user, nil, authorizationv1.ResourceAttributes{Verb: "get", Group: eventsv1alpha1.SchemeGroupVersion.Group, Resource: resource})
}

// awaitRight waits until somebody may do something in the namespace of this world.
func (w *world) awaitRight(user string, groups []string, may authorizationv1.ResourceAttributes) {
	w.t.Helper()
	may.Namespace = w.namespace
	w.must(cluster.AwaitRight(w.ctx, shared.Client, user, groups, may))
}

func (w *world) expectPrinted(output string, want ...string) {
	w.t.Helper()
	for _, text := range want {
		if !strings.Contains(output, text) {
			w.t.Errorf("there is no %q in:\n%s", text, output)
		}
	}
}

// All that kubectl does with events, against an API server that has authenticated and
// authorized whoever asks.
func TestEventsAreReadByKubectl(t *testing.T) {
	w := newRunningWorld(t)
	w.serveEvents()
	e := w.newEndpoint("github")
	w.target.React(cluster.Status(http.StatusGone))
	w.expectAcknowledged(w.github(e, "dead", `{"zen":"Design for failure."}`), "accepted", "dead")
	w.awaitOutcome(audit.DeadLettered, "dead")
	w.target.React(cluster.Status(http.StatusOK))
	w.expectAcknowledged(w.github(e, "fine", "{}"), "accepted", "fine")
	w.awaitOutcome(audit.Delivered, "fine")
	w.awaitRecorded("fine")
	dead, fine := store.EventName(e.String(), "dead"), store.EventName(e.String(), "fine")

	w.expectPrinted(w.kubectl("api-resources", "--api-group=events.hooks.sallyport.dev"), "webhookevents", "whev", "WebhookRecord", "webhookqueues")
	w.expectPrinted(w.kubectl("get", "webhookevents"), "NAME", "ENDPOINT", "STATE", dead, "DeadLettered", fine, "Delivered")
	w.expectPrinted(w.kubectl("get", "whev", "-o", "wide", "--field-selector", "status.state=DeadLettered"), dead, "EVENT ID", "410")
	w.expectPrinted(w.kubectl("get", "webhookevents", "-A"), "NAMESPACE", w.namespace, dead)
	w.expectPrinted(w.kubectl("get", "webhookevent", fine, "-o", "yaml"), "kind: WebhookEvent", "eventID: fine", "state: Delivered")
	w.expectPrinted(w.kubectl("describe", "webhookevent", dead), "Event ID:", "dead", "DeadLettered")
	w.expectPrinted(w.kubectl("get", "whev", "--field-selector", "spec.type=pu*"), dead, fine)
	w.expectPrinted(w.kubectl("get", "whev", "--field-selector", "spec.endpoint=github,spec.eventID=fine"), fine)
	w.expectPrinted(w.kubectl("get", "webhookqueues", "-A"), w.namespace)
	w.expectPrinted(w.kubectl("get", "webhookqueues"), "PENDING", "DEAD", "github", "REJECTED")
	w.expectPrinted(w.kubectl("get", "webhookrecords", "--field-selector", "endpoint=github"), "TIME", "accepted", "delivered", "dead_lettered")

	var payload eventsv1alpha1.WebhookEventPayload
	w.must(json.Unmarshal([]byte(w.kubectl("get", "--raw", pathOf(w.namespace, "webhookevents/"+dead+"/payload"))), &payload))
	if string(payload.Body) != `{"zen":"Design for failure."}` || payload.Method != http.MethodPost || len(payload.Headers["X-Github-Event"]) != 1 {
		t.Errorf("the payload is %s %v %s", payload.Method, payload.Headers, payload.Body)
	}

	if said, err := w.tryKubectl("delete", "webhookevent", fine); err == nil || !strings.Contains(said, "it is delivered, and only dead letters can be deleted") {
		t.Errorf("a delivered event is deleted (%v): %s", err, said)
	}
	w.expectPrinted(w.kubectl("delete", "webhookevent", dead, "--dry-run=server"), "deleted")
	w.expectPrinted(w.kubectl("get", "webhookevent", dead), dead)
	w.expectPrinted(w.kubectl("delete", "webhookevent", dead, "--timeout=30s"), "deleted")
	if said, err := w.tryKubectl("get", "webhookevent", dead); err == nil || !strings.Contains(said, "NotFound") {
		t.Errorf("a dead letter that was deleted is found (%v): %s", err, said)
	}
	purged, err := manager.Audit.Await(w.ctx, func(r audit.Record) bool { return r.Status == audit.Purged })
	w.must(err)
	if purged.Endpoint != e.String() || purged.EventID != "dead" || !strings.HasPrefix(purged.ErrorMessage, `purged by "`+shared.Config.Username) {
		t.Errorf("the audit record is %+v", purged)
	}
}

// awaitRecorded waits until the journal has all that the receiver tells of an event:
// it is written in the background.
func (w *world) awaitRecorded(id string) {
	w.t.Helper()
	w.awaitRecordedAs(id, audit.Delivered)
}

// awaitRecordedAs waits until the API knows of an outcome of an event.
func (w *world) awaitRecordedAs(id string, outcome audit.Status) {
	w.t.Helper()
	watch := exec.CommandContext(w.ctx, shared.Kubectl, "--kubeconfig", shared.Kubeconfig, "-n", w.namespace,
		"get", "webhookrecords", "--watch", "--field-selector", "eventID="+id, "-o", "json")
	w.awaitLine(watch, `"processingStatus": "`+string(outcome)+`"`)
}

// awaitLine starts a command, waits for a line of its output, and ends it.
func (w *world) awaitLine(command *exec.Cmd, text string) {
	w.t.Helper()
	lines, end := w.follow(command)
	defer end()
	_, err := lines.Await(w.ctx, func(line string) bool { return strings.Contains(line, text) })
	w.must(err)
}

func TestRecordsAreWatchedByKubectl(t *testing.T) {
	w := newRunningWorld(t)
	w.serveEvents()
	e := w.newEndpoint("github")
	w.expectAcknowledged(w.github(e, "before", "{}"), "accepted", "before")
	w.awaitOutcome(audit.Delivered, "before")
	w.awaitRecorded("before")

	lines, end := w.follow(exec.CommandContext(w.ctx, shared.Kubectl, "--kubeconfig", shared.Kubeconfig, "-n", w.namespace, "get", "webhookrecords", "--watch"))
	defer end()
	seen := func(words ...string) func(string) bool {
		return func(line string) bool {
			for _, word := range words {
				if !strings.Contains(line, word) {
					return false
				}
			}
			return true
		}
	}
	if _, err := lines.Await(w.ctx, seen("before", "delivered")); err != nil {
		t.Fatalf("the list: %v", err)
	}
	w.expectAcknowledged(w.github(e, "after", "{}"), "accepted", "after")
	if _, err := lines.Await(w.ctx, seen("after", "delivered", "200")); err != nil {
		t.Fatalf("the watch: %v; it has told of\n%s", err, strings.Join(lines.All(), "\n"))
	}
	if again := lines.Matching(seen("before", "accepted")); len(again) != 1 {
		t.Errorf("what the list has is told %d times, want once:\n%s", len(again), strings.Join(lines.All(), "\n"))
	}
}

// follow starts a command and returns its lines as they come.
func (w *world) follow(command *exec.Cmd) (*cluster.Journal[string], func()) {
	w.t.Helper()
	stdout, err := command.StdoutPipe()
	w.must(err)
	w.must(command.Start())
	lines, read := cluster.NewJournal[string](), make(chan struct{})
	go func() {
		defer close(read)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines.Add(scanner.Text())
		}
	}()
	return lines, func() {
		_ = command.Process.Kill()
		<-read
		_ = command.Wait()
	}
}

// Rights are those of the cluster, for each namespace; who may see events need not see
// what is in them.
func TestEventsBelongToTheirNamespace(t *testing.T) {
	w := newRunningWorld(t)
	w.serveEvents()
	e := w.newEndpoint("github")
	w.target.React(cluster.Status(http.StatusGone))
	w.expectAcknowledged(w.github(e, "dead", "{}"), "accepted", "dead")
	w.awaitOutcome(audit.DeadLettered, "dead")
	dead := store.EventName(e.String(), "dead")
	w.grant("viewer", "sallyport-events-view")
	w.grant("editor", "sallyport-events-view")
	w.grant("editor", "sallyport-events-edit")
	neighbours := &world{t: t, ctx: w.ctx, namespace: w.namespace + "-neighbours"}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: neighbours.namespace}})
	neighbours.grant("neighbour", "sallyport-events-view")
	neighbours.grant("neighbour", "sallyport-events-edit")

	const list, records, queues = "webhookevents", "webhookrecords", "webhookqueues"
	one, payload := list+"/"+dead, list+"/"+dead+"/payload"
	for _, test := range []struct {
		user, method, resource string
		code                   int
	}{
		{"viewer", http.MethodGet, list, http.StatusOK},
		{"viewer", http.MethodGet, one, http.StatusOK},
		{"viewer", http.MethodGet, records, http.StatusOK},
		{"viewer", http.MethodGet, records + "?watch=true&timeoutSeconds=1", http.StatusOK},
		{"viewer", http.MethodGet, queues + "/github", http.StatusOK},
		{"viewer", http.MethodGet, payload, http.StatusForbidden},
		{"viewer", http.MethodDelete, one, http.StatusForbidden},
		{"viewer", http.MethodDelete, list + "?fieldSelector=spec.endpoint%3Dgithub", http.StatusForbidden},
		{"stranger", http.MethodGet, list, http.StatusForbidden},
		{"stranger", http.MethodGet, one, http.StatusForbidden},
		{"stranger", http.MethodGet, records, http.StatusForbidden},
		{"stranger", http.MethodGet, records + "?watch=true&timeoutSeconds=1", http.StatusForbidden},
		{"stranger", http.MethodGet, queues, http.StatusForbidden},
		{"neighbour", http.MethodGet, list, http.StatusForbidden},
		{"neighbour", http.MethodGet, payload, http.StatusForbidden},
		{"neighbour", http.MethodDelete, one, http.StatusForbidden},
		{"editor", http.MethodGet, payload, http.StatusOK},
		{"editor", http.MethodDelete, one + "?dryRun=All", http.StatusOK},
	} {
		if code, body := w.ask(test.user, test.method, pathOf(w.namespace, test.resource)); code != test.code {
			t.Errorf("%s: %s %s is answered by %d %s, want %d", test.user, test.method, test.resource, code, body, test.code)
		}
	}
	if code, body := w.ask("viewer", http.MethodGet, "/apis/events.hooks.sallyport.dev/v1alpha1/webhookevents"); code != http.StatusForbidden {
		t.Errorf("viewer: all namespaces are answered by %d %s, want 403", code, body)
	}

	// In a namespace of their own they find nothing of this one, whatever they ask for.
	for _, query := range []string{
		list, list + "?fieldSelector=spec.endpoint%3Dgithub", list + "?fieldSelector=spec.eventID%3Ddead", list + "?fieldSelector=metadata.name%3D" + dead,
		list + "?fieldSelector=status.state%3DDeadLettered", list + "?fieldSelector=spec.endpoint%3D" + w.namespace + "%2Fgithub", records + "?fieldSelector=endpoint%3Dgithub", queues,
	} {
		var found metav1.PartialObjectMetadataList
		code, body := w.ask("neighbour", http.MethodGet, pathOf(neighbours.namespace, query))
		if err := json.Unmarshal(body, &found); err != nil || code != http.StatusOK || len(found.Items) != 0 {
			t.Errorf("neighbour: %s is answered by %d %s, want an empty list", query, code, body)
		}
	}
	for _, ask := range []struct{ method, resource string }{{http.MethodGet, one}, {http.MethodGet, payload}, {http.MethodDelete, one}, {http.MethodGet, queues + "/github"}} {
		if code, body := w.ask("neighbour", ask.method, pathOf(neighbours.namespace, ask.resource)); code != http.StatusNotFound {
			t.Errorf("neighbour: %s %s is answered by %d %s, want 404", ask.method, ask.resource, code, body)
		}
	}
	if code, body := w.ask("editor", http.MethodGet, pathOf(w.namespace, one)); code != http.StatusOK {
		t.Errorf("the event is gone: %d %s", code, body)
	}
}

// ask asks the API server, as a user.
func (w *world) ask(user, method, path string) (code int, body []byte) {
	w.t.Helper()
	config := rest.CopyConfig(shared.Config)
	config.Impersonate.UserName = user
	client, err := rest.HTTPClientFor(config)
	w.must(err)
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(w.ctx, method, strings.TrimSuffix(config.Host, "/")+path, nil)
	w.must(err)
	response, err := client.Do(r)
	w.must(err)
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	w.must(err)
	return response.StatusCode, body
}

// Whoever reaches the port and is not the API server gets nothing, whatever he says
// about himself.
func TestOnlyTheAPIServerIsListenedTo(t *testing.T) {
	w := newRunningWorld(t)
	w.serveEvents()
	w.newEndpoint("github")
	foreign, err := tls.LoadX509KeyPair(pki.NewCA(t).Issue(cluster.FrontProxyName))
	w.must(err)
	proxy, err := shared.FrontProxyCertificate(cluster.FrontProxyName)
	w.must(err)
	misnamed, err := shared.FrontProxyCertificate("somebody-else")
	w.must(err)
	for _, path := range []string{"/apis", "/", pathOf(w.namespace, "webhookevents")} {
		for name, certificates := range map[string][]tls.Certificate{"no certificate": nil, "a certificate of another CA": {foreign}} {
			if code, body, err := w.direct(path, "system:admin", certificates); err == nil {
				t.Errorf("%s with %s is answered by %d %s, want no answer", path, name, code, body)
			}
		}
		if code, body, err := w.direct(path, "system:admin", []tls.Certificate{misnamed}); err != nil || code != http.StatusUnauthorized {
			t.Errorf("%s with a certificate of another name is answered by %d %s (%v), want 401", path, code, body, err)
		}
		if code, body, err := w.direct(path, "", []tls.Certificate{proxy}); err != nil || code != http.StatusUnauthorized {
			t.Errorf("%s without a user is answered by %d %s (%v), want 401", path, code, body, err)
		}
	}
	// The front proxy itself is listened to, and its users are not trusted any further.
	if code, body, err := w.direct("/apis", "nobody", []tls.Certificate{proxy}); err != nil || code != http.StatusOK {
		t.Errorf("the front proxy is answered by %d %s (%v), want 200", code, body, err)
	}
	if code, body, err := w.direct(pathOf(w.namespace, "webhookevents"), "nobody", []tls.Certificate{proxy}); err != nil || code != http.StatusForbidden {
		t.Errorf("a user without rights is answered by %d %s (%v), want 403", code, body, err)
	}
}

// direct asks the manager without the API server.
func (w *world) direct(path, user string, certificates []tls.Certificate) (code int, body string, err error) {
	w.t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(w.ctx, http.MethodGet, "https://"+manager.EventsAPI+path, nil)
	w.must(err)
	if user != "" {
		r.Header.Set("X-Remote-User", user)
	}
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// Without the APIService the manager works as ever, and takes it up when it comes.
func TestTheEventsAPICanBeInstalledLater(t *testing.T) {
	w := newRunningWorld(t)
	w.serveEvents()
	address := manager.EventsAPI
	w.must(shared.RemoveEventsAPI(w.ctx))
	e := w.newEndpoint("github")
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
	w.awaitDelivery("one")
	w.must(shared.InstallEventsAPI(w.ctx, address))
	w.must(shared.AwaitEventsAPI(w.ctx))
	w.expectPrinted(w.kubectl("get", "webhookqueues"), "github")
}
