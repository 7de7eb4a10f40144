package system

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/cluster"
)

func TestEditedSecretIsUsed(t *testing.T) {
	const renewed = "the next secret"
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")

	w.must(shared.Client.Update(w.ctx, w.secret(renewed)))
	w.awaitServed(e, func(s *corev1.Secret) bool { return holds(s, renewed) })
	answer := w.post(e, cluster.GitHub(renewed, "push", "two", []byte("{}")), "{}")
	w.expectAcknowledged(answer, "accepted", "two")
	w.awaitDelivery("two")
}

// holds reports whether a route has a key of that value.
func holds(s *corev1.Secret, value string) bool {
	for _, entry := range s.Data {
		if bytes.Equal(entry, []byte(value)) {
			return true
		}
	}
	return false
}

// Without a usable secret nothing can be verified: the endpoint stays, asks its
// sender to come back, and says what is wrong. Once the secret is there, it works.
func TestEndpointWithoutAUsableSecretFailsClosed(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(*corev1.Secret)
		reason  string
	}{
		"entry missing": {func(s *corev1.Secret) { s.Data = map[string][]byte{"other": []byte("x")} }, v1alpha1.ReasonSecretKeyNotFound},
		"empty":         {func(s *corev1.Secret) { s.Data["secret"] = nil }, v1alpha1.ReasonSecretInvalid},
		"blank":         {func(s *corev1.Secret) { s.Data["secret"] = []byte(" \n\n") }, v1alpha1.ReasonSecretInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRunningWorld(t)
			e := w.newEndpoint("github")
			broken := w.secret(secretValue)
			test.breakIt(broken)
			w.must(shared.Client.Update(w.ctx, broken))
			w.expectFailsClosed(e, test.reason)

			w.must(shared.Client.Update(w.ctx, w.secret(secretValue)))
			w.awaitReady(e)
			w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
		})
	}
	t.Run("deleted", func(t *testing.T) {
		w := newRunningWorld(t)
		e := w.newEndpoint("github")
		w.must(shared.Client.Delete(w.ctx, w.secret("")))
		w.expectFailsClosed(e, v1alpha1.ReasonSecretNotFound)

		w.create(w.secret(secretValue))
		w.awaitReady(e)
		w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
	})
}

// expectFailsClosed waits until the status names the reason and the receiver
// has the route without a key. Signatures with the old secret, and with no
// secret at all, must not pass then.
func (w *world) expectFailsClosed(e endpoint, reason string) {
	w.t.Helper()
	_, err := shared.AwaitCondition(w.ctx, e.NamespacedName, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, reason)
	w.must(err)
	w.awaitServed(e, func(s *corev1.Secret) bool { return !holds(s, secretValue) })
	for _, secret := range []string{secretValue, "", " "} {
		w.expectPutOff(w.post(e, cluster.GitHub(secret, "push", "one", []byte("{}")), "{}"))
	}
}
