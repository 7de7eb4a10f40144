package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// eventNamePattern is what names of WebhookEvents look like. A provider may give
// its events ids of that form, too.
var eventNamePattern = regexp.MustCompile(`^[0-9a-f]{48}$`)

// event gets the event of an EVENT argument: its name, or the provider's id.
func (a *app) event(ctx context.Context, argument string, s scope) (*eventsv1alpha1.WebhookEvent, error) {
	if eventNamePattern.MatchString(argument) {
		event := &eventsv1alpha1.WebhookEvent{}
		err := a.client.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: argument}, event)
		if err == nil && (s.several() || event.Spec.Endpoint == s.endpoint) {
			return event, nil
		}
		if err != nil && (!apierrors.IsNotFound(err) || isMissingAPI(err)) {
			return nil, err
		}
	}
	found, err := a.listEvents(ctx, s, fields.Set{fieldEventID: argument}, nil)
	if err != nil {
		return nil, err
	}
	switch len(found.Items) {
	case 0:
		return nil, fmt.Errorf("there is no event %s %s: it was never accepted, or it is forgotten; %s events lists those that are known", human.OneLine(argument), s, a.name)
	case 1:
		return &found.Items[0], nil
	}
	endpoints := make([]string, len(found.Items))
	for i := range found.Items {
		endpoints[i] = found.Items[i].Spec.Endpoint
	}
	slices.Sort(endpoints)
	return nil, fmt.Errorf("several endpoints have an event %s: say which is meant by --endpoint, one of %s", human.OneLine(argument), strings.Join(endpoints, ", "))
}

// eventIDs makes ids of EVENT arguments, which may be names.
func (a *app) eventIDs(ctx context.Context, arguments []string, s scope) ([]string, error) {
	ids := make([]string, len(arguments))
	for i, argument := range arguments {
		ids[i] = argument
		if !eventNamePattern.MatchString(argument) {
			continue
		}
		event := &eventsv1alpha1.WebhookEvent{}
		switch err := a.client.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: argument}, event); {
		case err == nil:
			ids[i] = event.Spec.EventID
		case !apierrors.IsNotFound(err): // else it is an id that looks like a name
			return nil, err
		}
	}
	return ids, nil
}
