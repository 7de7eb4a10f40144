package eventsapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

const (
	// verdictLife is how long a verdict is believed: a right that is taken away ends no
	// later. It is what API servers that delegate use.
	verdictLife = 10 * time.Second
	// maxVerdicts bounds those that are remembered.
	maxVerdicts = 4096
	// reviewTimeout bounds one question to the API server.
	reviewTimeout = 10 * time.Second
)

// authorizer says whether a user may do something: nil means yes.
type authorizer interface {
	authorize(ctx context.Context, u user.Info, info *request.RequestInfo) error
}

// reviewer asks the API server, by a SubjectAccessReview.
type reviewer struct {
	reviews  authorizationclient.SubjectAccessReviewInterface
	verdicts *cache.LRUExpireCache // a digest of the question → a verdict
}

// verdict is what the API server said.
type verdict struct {
	allowed bool
	reason  string
}

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

func newReviewer(reviews authorizationclient.SubjectAccessReviewInterface) *reviewer {
	return &reviewer{reviews, cache.NewLRUExpireCache(maxVerdicts)}
}

// authorize answers no if nobody can be asked.
func (r *reviewer) authorize(ctx context.Context, u user.Info, info *request.RequestInfo) error {
	question := questionOf(u, info)
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	key := sha256.Sum256(text)
	v, known := r.verdicts.Get(key)
	if !known {
		if v, err = r.ask(ctx, question); err != nil {
			return apierrors.NewServiceUnavailable("the API server does not say whether you may do this: try again in a moment")
		}
		r.verdicts.Add(key, v, verdictLife)
	}
	if said := v.(verdict); !said.allowed {
		return forbidden(u, info, said.reason)
	}
	return nil
}

func (r *reviewer) ask(ctx context.Context, question authorizationv1.SubjectAccessReviewSpec) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	review, err := r.reviews.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: question}, metav1.CreateOptions{})
	if err != nil {
		return verdict{}, err
	}
	return verdict{review.Status.Allowed && !review.Status.Denied, review.Status.Reason}, nil
}

// questionOf names the selectors, too: a policy may allow no more than a part of a list.
func questionOf(u user.Info, info *request.RequestInfo) authorizationv1.SubjectAccessReviewSpec {
	extra := make(map[string]authorizationv1.ExtraValue, len(u.GetExtra()))
	for name, values := range u.GetExtra() {
		extra[name] = values
	}
	attributes := &authorizationv1.ResourceAttributes{
		Namespace: info.Namespace, Verb: info.Verb, Group: info.APIGroup, Version: info.APIVersion,
		Resource: info.Resource, Subresource: info.Subresource, Name: info.Name,
	}
	if info.FieldSelector != "" {
		attributes.FieldSelector = &authorizationv1.FieldSelectorAttributes{RawSelector: info.FieldSelector}
	}
	if info.LabelSelector != "" {
		attributes.LabelSelector = &authorizationv1.LabelSelectorAttributes{RawSelector: info.LabelSelector}
	}
	return authorizationv1.SubjectAccessReviewSpec{
		User: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups(), Extra: extra, ResourceAttributes: attributes,
	}
}

// forbidden is in the words of the API server.
func forbidden(u user.Info, info *request.RequestInfo, reason string) error {
	resource := info.Resource
	if info.Subresource != "" {
		resource += "/" + info.Subresource
	}
	message := "User \"" + u.GetName() + "\" cannot " + info.Verb + " resource \"" + resource + "\" in API group \"" + info.APIGroup + "\""
	if info.Namespace == "" {
		message += " at the cluster scope"
	} else {
		message += " in the namespace \"" + info.Namespace + "\""
	}
	if reason != "" {
		message += ": " + reason
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: info.APIGroup, Resource: resource}, info.Name, errors.New(message))
}
