package eventsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
)

// getPayload answers with what the target gets.
func (a *api) getPayload(ctx context.Context, q *query) (runtime.Object, error) {
	e, err := a.Store.Payload(ctx, q.info.Name)
	switch {
	case errors.Is(err, store.ErrName), errors.Is(err, store.ErrNotFound):
		return nil, noPayload(q.info.Name)
	case err != nil:
		return nil, storeError(ctx, err)
	case refOf(e.Endpoint).namespace != q.info.Namespace:
		return nil, noPayload(q.info.Name)
	}
	return &eventsv1alpha1.WebhookEventPayload{
		TypeMeta: typeMeta(kindPayload),
		ObjectMeta: metav1.ObjectMeta{
			Namespace: q.info.Namespace, Name: q.info.Name, CreationTimestamp: metav1.NewTime(e.ReceivedAt.UTC()),
		},
		Method: e.Method, URL: e.URL, Query: strings.ToValidUTF8(e.Query, "\uFFFD"), Headers: readable(e.Header), Body: e.Body,
	}, nil
}

// noPayload does not tell an event that is delivered from one that never was.
func noPayload(name string) error {
	err := apierrors.NewNotFound(eventsv1alpha1.SchemeGroupVersion.WithResource(eventsv1alpha1.ResourceWebhookEvents).GroupResource(), name)
	err.ErrStatus.Message = fmt.Sprintf("there is no payload of a webhook event %q: it is delivered, or there is no such event", name)
	return err
}

// readable replaces bytes that JSON has no words for.
func readable(header http.Header) map[string][]string {
	headers := make(map[string][]string, len(header))
	for name, values := range header {
		for _, value := range values {
			headers[name] = append(headers[name], strings.ToValidUTF8(value, "\uFFFD"))
		}
	}
	return headers
}
