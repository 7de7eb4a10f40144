package system

import (
	"context"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/test/cluster"
)

func TestDeletedEndpointIsGone(t *testing.T) {
	w := newRunningWorld(t)
	e, other := w.newEndpoint("github"), w.newEndpoint("stripe")
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")

	w.deleteEndpoint(e)
	w.must(shared.AwaitNoRoute(w.ctx, e.NamespacedName))
	w.awaitNotFound(e)
	if answer := w.post(other, http.Header{}, "{}"); answer.Status != http.StatusBadRequest {
		t.Errorf("another endpoint answers %d to an unsigned request, want 400", answer.Status)
	}
}

// A manager that was away when an endpoint was deleted finds its route when it
// starts. The receiver serves the endpoint until then.
func TestEndpointThatIsDeletedWhileTheManagerIsDownIsGone(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	w.must(manager.Stop(w.ctx))
	w.deleteEndpoint(e)
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")

	w.must(startManager(w.ctx))
	w.must(shared.AwaitNoRoute(w.ctx, e.NamespacedName))
	w.awaitNotFound(e)
}

// What the receiver can't read it fails closed, and it says so. The route is
// none of the manager's, which would repair or remove its own.
func TestRouteThatCannotBeReadFailsClosedAndHarmsNobodyElse(t *testing.T) {
	for name, data := range map[string]map[string][]byte{
		"not JSON":        {"route.json": []byte("garbage")},
		"a later version": {"route.json": []byte(`{"version":99}`)},
		"nothing at all":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newRunningWorld(t)
			e := w.newEndpoint("github")
			broken := endpoint{path: "/" + w.namespace + "/broken"}
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: cluster.Namespace, Name: route.SecretName(w.namespace, "broken"),
					Labels:      map[string]string{route.LabelRoute: "true"},
					Annotations: map[string]string{route.AnnotationPath: broken.path},
				},
				Type: route.SecretType, Data: data,
			}
			w.create(secret)
			t.Cleanup(func() {
				if err := shared.Client.Delete(context.Background(), secret); err != nil {
					t.Error(err)
				}
			})
			w.must(shared.AwaitServed(w.ctx, w.receiver.Name, secret.ResourceVersion))

			w.expectPutOff(w.github(broken, "one", "{}"))
			w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
			w.expectAlive(w.receiver)
			if got := w.metric("sallyport_routes_invalid"); got != "1" {
				t.Errorf("sallyport_routes_invalid is %q, want 1", got)
			}
		})
	}
}

// metric reads a metric without labels from the receiver; empty: it has none
// of that name.
func (w *world) metric(name string) string {
	w.t.Helper()
	page, err := cluster.Get(w.ctx, w.receiver.AdminURL+"/metrics")
	w.must(err)
	for line := range strings.Lines(page.Body) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (w *world) deleteEndpoint(e endpoint) {
	w.t.Helper()
	object := &v1alpha1.WebhookEndpoint{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name}}
	w.must(shared.Client.Delete(w.ctx, object))
}

// awaitNotFound waits until the receiver answers 404. A receiver does not tell
// when it has noticed the end of a route, so this asks again and again.
func (w *world) awaitNotFound(e endpoint) {
	w.t.Helper()
	for w.ctx.Err() == nil {
		if answer := w.github(e, "gone", "{}"); answer.Status == http.StatusNotFound {
			return
		}
	}
	w.t.Fatalf("%s still answers", e.path)
}
