package system

import (
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/cluster"
)

const renewedValue = "the secret that the provider will know soon"

// renewSecret changes the Secret and waits until the receiver has the new value.
func (w *world) renewSecret(e endpoint) {
	w.t.Helper()
	w.must(shared.Client.Update(w.ctx, w.secret(renewedValue)))
	w.awaitServed(e, func(s *corev1.Secret) bool { return holds(s, renewedValue) })
}

// While a provider changes to a new secret, nothing that it sends is refused, and
// the status tells when the old one is not used any more.
func TestBothSecretsAreValidDuringTheGrace(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	w.expectAcknowledged(w.github(e, "before", "{}"), "accepted", "before")
	before, err := shared.AwaitEndpoint(w.ctx, e.NamespacedName, func(e *v1alpha1.WebhookEndpoint) bool { return e.Status.URL != "" })
	w.must(err)
	w.renewSecret(e)

	w.expectAcknowledged(w.github(e, "old", "{}"), "accepted", "old")
	w.expectAcknowledged(w.post(e, cluster.GitHub(renewedValue, "push", "new", []byte("{}")), "{}"), "accepted", "new")
	if answer := w.post(e, cluster.GitHub("neither", "push", "forged", []byte("{}")), "{}"); answer.Status != http.StatusUnauthorized {
		t.Errorf("a third secret is answered %d", answer.Status)
	}

	found, err := shared.AwaitEndpoint(w.ctx, e.NamespacedName, func(e *v1alpha1.WebhookEndpoint) bool {
		r := e.Status.SecretRotation
		return r != nil && r.CurrentFirstUsedTime != nil && r.PreviousLastUsedTime != nil
	})
	w.must(err)
	if was := before.Status.URL; found.Status.URL != was {
		t.Errorf("the URL was %q, and is %q with another secret", was, found.Status.URL)
	}
	r := found.Status.SecretRotation
	if grace := r.PreviousExpirationTime.Sub(r.StartTime.Time); grace != 24*time.Hour {
		t.Errorf("the old secret stays valid for %v", grace)
	}
	if since := time.Since(r.CurrentFirstUsedTime.Time); since < 0 || since > testTimeout {
		t.Errorf("the new secret was first used %v ago", since)
	}
	if since := time.Since(r.PreviousLastUsedTime.Time); since < 0 || since > testTimeout+time.Minute {
		t.Errorf("the old secret was last used %v ago", since)
	}
}

// With a grace of nothing, a secret that has leaked ends with the edit.
func TestGraceOfNothingRevokesTheOldSecretAtOnce(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github", func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.SecretRotation = &v1alpha1.SecretRotationSpec{Grace: &metav1.Duration{}}
	})
	w.expectAcknowledged(w.github(e, "before", "{}"), "accepted", "before")
	w.renewSecret(e)

	if answer := w.github(e, "old", "{}"); answer.Status != http.StatusUnauthorized {
		t.Errorf("the old secret is answered %d %q, want 401", answer.Status, answer.Body)
	}
	w.expectAcknowledged(w.post(e, cluster.GitHub(renewedValue, "push", "new", []byte("{}")), "{}"), "accepted", "new")
}
