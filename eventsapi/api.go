package eventsapi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// Options say what is served.
type Options struct {
	// Store has the events.
	Store *store.Store
	// Endpoints has the WebhookEndpoints: the manager's cache.
	Endpoints client.Reader
	// Namespaces are those whose endpoints are known; none: all.
	Namespaces []string
	// ClassName is spec.className of the endpoints whose events Store has.
	ClassName string
	// Audit takes a record of each dead letter that is purged.
	Audit audit.Sink
	// Logger gets what users can do nothing about.
	Logger logr.Logger
}

// api answers requests that are authorized.
type api struct{ Options }

// query is a request that is authorized.
type query struct {
	info   *request.RequestInfo
	user   user.Info
	values url.Values
	// body is that of a DELETE.
	body []byte
}

// limit reads how many items are asked for.
func (q *query) limit(usual, most int) (int, error) {
	text := q.values.Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0:
		return 0, apierrors.NewBadRequest(fmt.Sprintf("limit=%s is no number of items", text))
	case n == 0:
		return usual, nil
	}
	return min(n, most), nil
}

// timeout reads how long the request may take, at most so long.
func (q *query) timeout(usual, most time.Duration) (time.Duration, error) {
	text := q.values.Get("timeoutSeconds")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("timeoutSeconds=%s is no number of seconds", text))
	}
	if n == 0 {
		return usual, nil
	}
	return min(time.Duration(n)*time.Second, most), nil
}

// name is the one name that is asked for; "": all. What was authorized for one name
// is answered for that name only.
func (q *query) name(s selector) (string, error) {
	selected, given := s[fieldName]
	if q.info.Name != "" && given && selected != q.info.Name {
		return "", apierrors.NewBadRequest("the field selector " + fieldName + " is not the name of the request")
	}
	if given && selected == "" {
		return "", apierrors.NewBadRequest("the field selector " + fieldName + " is empty")
	}
	if q.info.Name != "" {
		return q.info.Name, nil
	}
	return selected, nil
}

func notFound(resource, name string) error {
	return apierrors.NewNotFound(eventsv1alpha1.SchemeGroupVersion.WithResource(resource).GroupResource(), name)
}

func conflict(name, because string) error {
	resource := eventsv1alpha1.SchemeGroupVersion.WithResource(eventsv1alpha1.ResourceWebhookEvents).GroupResource()
	return apierrors.NewConflict(resource, name, errors.New(because))
}

// storeError says to a user what an error of the store means. Whatever it does not
// know is an internal one: see answerError.
func storeError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, store.ErrContinue):
		return apierrors.NewBadRequest("the continue token can't be read: list from the beginning")
	case errors.Is(err, store.ErrTooManyEndpoints):
		return apierrors.NewBadRequest(err.Error() + ": name one by a field selector")
	case errors.Is(err, store.ErrUnavailable), ctx.Err() != nil:
		return apierrors.NewServiceUnavailable("Redis, which has the events, does not answer: try again in a moment")
	}
	return err
}
