package system

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// withRoute leads some events to a path of its own of the world's Service.
func withRoute(name string, match v1alpha1.EventMatch) with {
	return func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Routes = append(spec.Routes, v1alpha1.EventRoute{Name: name, Match: &match, Target: v1alpha1.Target{
			Service: v1alpha1.ServiceTarget{Name: serviceName, Port: intstr.FromInt32(servicePort), Path: "/" + name},
		}})
	}
}

// paths are where the target got each event, in order of their names.
func (w *world) paths() map[string][]string {
	paths := map[string][]string{}
	for _, r := range w.target.Requests.All() {
		paths[r.EventID()] = append(paths[r.EventID()], r.Path)
	}
	for _, list := range paths {
		slices.Sort(list)
	}
	return paths
}

func TestEventGoesToEveryRouteThatMatches(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github",
		withRoute("pushes", v1alpha1.EventMatch{Types: []string{"pu*", "create"}}),
		withRoute("main", v1alpha1.EventMatch{Types: []string{"push"}, Expression: "event.body.ref == 'refs/heads/main'"}),
		withRoute("bots", v1alpha1.EventMatch{Expression: "event.body.sender.login.endsWith('[bot]')"}))
	for id, body := range map[string]string{
		"two":  `{"ref":"refs/heads/main"}`,
		"one":  `{"ref":"refs/heads/other","sender":{"login":"ada"}}`,
		"both": `{"sender":{"login":"renovate[bot]"}}`,
	} {
		w.expectAcknowledged(w.github(e, id, body), "accepted", id)
		w.expectAcknowledged(w.github(e, id, body), "duplicate", id)
	}
	w.finish(w.receiver)
	got := w.paths()
	for id, want := range map[string][]string{"two": {"/main", "/pushes"}, "one": {"/pushes"}, "both": {"/bots", "/pushes"}} {
		if !slices.Equal(got[id], want) {
			t.Errorf("%s went to %q, want %q", id, got[id], want)
		}
	}
}

// TestDeliveriesAreSignedWithTheSecretOfTheirTarget, each one with its own.
func TestDeliveriesAreSignedWithTheSecretOfTheirTarget(t *testing.T) {
	w := newRunningWorld(t)
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "signing"},
		Data:       map[string][]byte{"one": []byte("of one"), "two": []byte("whsec_" + base64.StdEncoding.EncodeToString([]byte("of two")))},
	})
	e := w.newEndpoint("github", withRoute("one", v1alpha1.EventMatch{}), withRoute("two", v1alpha1.EventMatch{}), withRoute("none", v1alpha1.EventMatch{}),
		func(spec *v1alpha1.WebhookEndpointSpec) {
			for i := range spec.Routes[:2] {
				spec.Routes[i].Target.SigningSecretRef = &v1alpha1.SecretKeyReference{Name: "signing", Key: spec.Routes[i].Name}
			}
		})
	w.expectAcknowledged(w.github(e, "event", `{"a":1}`), "accepted", "event")
	requests, err := w.target.Requests.AwaitN(w.ctx, 3, func(cluster.Received) bool { return true })
	w.must(err)
	for _, r := range requests {
		want := ""
		if r.Path != "/none" {
			mac := hmac.New(sha256.New, []byte("of "+r.Path[1:]))
			mac.Write([]byte("event." + r.Header.Get("Webhook-Timestamp") + `.{"a":1}`))
			want = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		}
		if got := r.Header.Get("Webhook-Signature"); got != want {
			t.Errorf("%s is signed %q, want %q", r.Path, got, want)
		}
	}
}

func TestTargetGetsWhatNoRouteMatches(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github", withRoute("main", v1alpha1.EventMatch{Expression: "event.body.ref == 'refs/heads/main'"}))
	w.expectAcknowledged(w.github(e, "other", `{"ref":"refs/heads/other"}`), "accepted", "other")
	w.expectAcknowledged(w.github(e, "main", `{"ref":"refs/heads/main"}`), "accepted", "main")
	w.awaitOutcome(audit.Delivered, "other")
	w.awaitOutcome(audit.Delivered, "main")
	if got := w.paths(); !slices.Equal(got["other"], []string{"/in"}) || !slices.Equal(got["main"], []string{"/main"}) {
		t.Errorf("the events went to %q", got)
	}
}

func TestEventThatNothingWantsIsIgnored(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github",
		withRoute("main", v1alpha1.EventMatch{Expression: "event.body.ref == 'refs/heads/main'"}),
		func(spec *v1alpha1.WebhookEndpointSpec) { spec.Target = nil })
	w.expectAcknowledged(w.github(e, "other", `{"ref":"refs/heads/other"}`), "ignored", "other")
	if record := w.awaitOutcome(audit.Ignored, "other"); !record.SignatureVerified {
		t.Errorf("the record is %+v", record)
	}
	w.expectAcknowledged(w.github(e, "main", `{"ref":"refs/heads/main"}`), "accepted", "main")
	w.awaitOutcome(audit.Delivered, "main")
	w.finish(w.receiver)
	if got := w.deliveries(); len(got) != 1 || got["main"] != 1 {
		t.Errorf("the target got %v", got)
	}
}
