package eventapi

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
