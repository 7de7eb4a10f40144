package system

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/test/cluster"
)

// oldRoute is a route as the first managers wrote it, before anything was added to
// the format. %[1]s is the namespace. It must be served as long as its version is known.
const oldRoute = `{"version":1,
"endpoint":{"namespace":"%[1]s","name":"old","uid":"uid-of-old","generation":1,"created":"2026-01-02T03:04:05Z"},
"path":"/%[1]s/old","publicURL":"https://hooks.example.test/%[1]s/old",
"provider":{"name":"github",
 "schemes":[{"name":"sha256","algorithm":"HMAC-SHA256","signature":{"from":[{"header":"X-Hub-Signature-256"}],"prefix":"sha256=","encoding":"Hex"},"content":"{body}"}],
 "identity":{"id":["{header:X-GitHub-Delivery}"],"type":["{header:X-GitHub-Event}"]}},
"keys":[{"name":"key-0"}],
"target":{"namespace":"%[1]s","service":"orders","port":8080,"scheme":"http","path":"/"},
"delivery":{"timeout":"10s","maxInFlight":32,"retry":{"maxAttempts":12,"minBackoff":"1s","maxBackoff":"1h0m0s","maxAge":"72h0m0s"}},
"deduplication":{"window":"72h0m0s"},
"limits":{"maxBodyBytes":26214400}}`

// A receiver serves what an older manager wrote.
func TestRouteOfAnOlderManagerIsServed(t *testing.T) {
	w := newRunningWorld(t)
	old := w.plantRoute("old", map[string][]byte{"route.json": fmt.Appendf(nil, oldRoute, w.namespace), "key-0": []byte(secretValue)})
	w.expectAcknowledged(w.github(old, "one", "{}"), "accepted", "one")
	w.awaitDelivery("one")
	w.expectUnauthentic(old)
	if got := w.metric("sallyport_routes_invalid"); got != "0" {
		t.Errorf("sallyport_routes_invalid is %q, want 0", got)
	}
}

// What a newer manager wrote is served only if nothing in it is unknown: what this
// receiver doesn't know may be what restricts who is let in.
func TestRouteOfANewerManagerFailsClosed(t *testing.T) {
	for name, change := range map[string]func(data map[string][]byte){
		"another version":          func(data map[string][]byte) { replace(data, `"version":1`, `"version":2`) },
		"one more field":           func(data map[string][]byte) { replace(data, `{"version":1`, `{"onlyOnSundays":true,"version":1`) },
		"one more limit":           func(data map[string][]byte) { replace(data, `"limits":{`, `"limits":{"maxHeaders":10,`) },
		"one more scheme's rule":   func(data map[string][]byte) { replace(data, `"schemes":[{`, `"schemes":[{"minimumKeyBytes":32,`) },
		"one more secret":          func(data map[string][]byte) { data["second-factor"] = []byte("x") },
		"another scheme":           func(data map[string][]byte) { replace(data, `"scheme":"http"`, `"scheme":"h3"`) },
		"a key of another purpose": func(data map[string][]byte) { data["key-1"] = data["key-0"] },
	} {
		t.Run(name, func(t *testing.T) {
			w := newRunningWorld(t)
			e := w.newEndpoint("github")
			data := w.routeOf(e).Data
			change(data)
			newer := w.plantRoute("newer", data)

			w.expectPutOff(w.github(newer, "one", "{}"))
			w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
			if got := w.metric("sallyport_routes_invalid"); got != "1" {
				t.Errorf("sallyport_routes_invalid is %q, want 1", got)
			}
		})
	}
}

// An endpoint whose route becomes newer than its receiver is not served by the old
// route either. A manager of the receiver's own version puts it right.
func TestServedRouteThatBecomesNewerFailsClosed(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
	w.must(manager.Stop(w.ctx))
	secret := w.routeOf(e)
	replace(secret.Data, `"version":1`, `"version":2`)
	w.must(shared.Client.Update(w.ctx, secret))
	w.must(shared.AwaitServed(w.ctx, w.receiver.Name, secret.ResourceVersion))
	w.expectPutOff(w.github(e, "two", "{}"))

	w.must(startManager(w.ctx))
	w.awaitServed(e, func(s *corev1.Secret) bool { return bytes.Contains(s.Data["route.json"], []byte(`"version":1`)) })
	w.awaitReady(e)
	w.expectAcknowledged(w.github(e, "two", "{}"), "accepted", "two")
}

// replace changes the text of a route, as another version of the manager would have
// written it.
func replace(data map[string][]byte, old, fresh string) {
	before := string(data["route.json"])
	if !strings.Contains(before, old) {
		panic(fmt.Sprintf("there is no %s in %s", old, before))
	}
	data["route.json"] = []byte(strings.ReplaceAll(before, old, fresh))
}

func (w *world) routeOf(e endpoint) *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(shared.Client.Get(w.ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: route.SecretName(e.Namespace, e.Name)}, secret))
	return secret
}

// plantRoute makes a route that is none of the manager's, which would repair or
// remove its own, and waits until the receiver has it. What it has of another endpoint
// becomes its own.
func (w *world) plantRoute(name string, data map[string][]byte) endpoint {
	w.t.Helper()
	e := endpoint{client.ObjectKey{Namespace: w.namespace, Name: name}, "/" + w.namespace + "/" + name}
	for _, own := range []string{`"name":"%s"`, `"path":"/` + w.namespace + `/%s"`} {
		data["route.json"] = bytes.ReplaceAll(data["route.json"], fmt.Appendf(nil, own, "github"), fmt.Appendf(nil, own, name))
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: cluster.Namespace, Name: route.SecretName(w.namespace, name),
			Labels:      map[string]string{route.LabelRoute: "true"},
			Annotations: map[string]string{route.AnnotationPath: e.path},
		},
		Type: route.SecretType, Data: data,
	}
	w.create(secret)
	w.t.Cleanup(func() {
		if err := shared.Client.Delete(context.Background(), secret); err != nil {
			w.t.Error(err)
		}
	})
	w.must(shared.AwaitServed(w.ctx, w.receiver.Name, secret.ResourceVersion))
	return e
}

func (w *world) expectUnauthentic(e endpoint) {
	w.t.Helper()
	answer := w.post(e, cluster.GitHub("another secret", "push", "forged", []byte("{}")), "{}")
	if answer.Status != http.StatusUnauthorized {
		w.t.Errorf("a forgery is answered %d, want 401", answer.Status)
	}
}
