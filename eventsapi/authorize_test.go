package eventsapi

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

func TestTheAPIServerIsAskedOnceInAWhile(t *testing.T) {
	clients := fake.NewClientset()
	var asked []authorizationv1.SubjectAccessReviewSpec
	answer := authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	var failure error
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview)
		asked = append(asked, review.Spec)
		return true, &authorizationv1.SubjectAccessReview{Status: answer}, failure
	})
	r := newReviewer(clients.AuthorizationV1().SubjectAccessReviews())
	alice := &user.DefaultInfo{Name: "alice", UID: "1", Groups: []string{"team"}, Extra: map[string][]string{"scopes": {"a"}}}
	info := request.RequestInfo{
		Namespace: "team", Verb: "get", APIGroup: "events.hooks.sallyport.dev", APIVersion: "v1alpha1", Resource: "webhookevents", Subresource: "payload", Name: "one",
	}
	for range 3 {
		if err := r.authorize(t.Context(), alice, &info); err != nil {
			t.Fatal(err)
		}
	}
	want := []authorizationv1.SubjectAccessReviewSpec{{
		User: "alice", UID: "1", Groups: []string{"team"}, Extra: map[string]authorizationv1.ExtraValue{"scopes": {"a"}},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: "team", Verb: "get", Group: "events.hooks.sallyport.dev", Version: "v1alpha1", Resource: "webhookevents", Subresource: "payload", Name: "one",
		},
	}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the questions (-want +got):\n%s", diff)
	}

	// Whatever differs is another question; a no is a no, and no answer is one, too.
	other := info
	other.Subresource = ""
	answer = authorizationv1.SubjectAccessReviewStatus{Allowed: false, Reason: "no such right"}
	if err := r.authorize(t.Context(), alice, &other); statusOfError(err).Code != http.StatusForbidden {
		t.Errorf("a no is told as %v", err)
	}
	answer = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}
	if err := r.authorize(t.Context(), &user.DefaultInfo{Name: "bob"}, &info); statusOfError(err).Code != http.StatusForbidden {
		t.Errorf("a denial is told as %v", err)
	}
	failure = errors.New("away")
	if err := r.authorize(t.Context(), &user.DefaultInfo{Name: "carol"}, &info); statusOfError(err).Code != http.StatusServiceUnavailable {
		t.Errorf("no answer is told as %v", err)
	}
	failure, answer = nil, authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	if err := r.authorize(t.Context(), &user.DefaultInfo{Name: "carol"}, &info); err != nil {
		t.Errorf("a failure is remembered: %v", err)
	}
}

// TestAPolicySeesTheSelector: whoever may list the events of one endpoint only must say
// so, and then gets no others.
func TestAPolicySeesTheSelector(t *testing.T) {
	w := newWorld(t, "team/github", "team/stripe")
	w.accept("team/github", "one")
	w.accept("team/stripe", "two")
	clients := fake.NewClientset()
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		asked := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).Spec.ResourceAttributes
		allowed := asked.FieldSelector != nil && asked.FieldSelector.RawSelector == "spec.endpoint=github" && asked.LabelSelector == nil
		return true, &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: allowed}}, nil
	})
	w.server.Config.Handler = w.handler(newReviewer(clients.AuthorizationV1().SubjectAccessReviews()))
	const events = "/namespaces/team/webhookevents"
	list := get[eventsv1alpha1.WebhookEventList](w, events+"?fieldSelector=spec.endpoint%3Dgithub")
	if len(list.Items) != 1 || list.Items[0].Spec.EventID != "one" {
		t.Errorf("the events are %+v, want that of github", list.Items)
	}
	for _, query := range []string{
		"", "?fieldSelector=spec.endpoint%3Dstripe", "?fieldSelector=spec.endpoint%3Dgithub&labelSelector=a%3Db",
		"?fieldSelector=spec.endpoint%3Dstripe&fieldSelector=spec.endpoint%3Dgithub",
	} {
		w.refuse(http.MethodGet, events+query, http.StatusForbidden, "cannot list")
	}
	w.refuse(http.MethodGet, events+"?fieldSelector=spec.endpoint%3Dgithub&fieldSelector=spec.endpoint%3Dstripe", http.StatusBadRequest, "one field selector")
	w.refuse(http.MethodDelete, events, http.StatusForbidden, "cannot deletecollection")
}
