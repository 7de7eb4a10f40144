package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver/match"
)

// The most objects that the events API gives at a time.
const (
	maxEvents  = 500
	maxRecords = 1000
)

// The field selectors of the events API.
const (
	fieldEventEndpoint  = "spec.endpoint"
	fieldEventType      = "spec.type"
	fieldEventID        = "spec.eventID"
	fieldEventState     = "status.state"
	fieldRecordEndpoint = "endpoint"
	fieldRecordStatus   = "processingStatus"
	fieldRecordEventID  = "eventID"
)

// scope says whose objects a list has.
type scope struct {
	namespace string // empty: all namespaces
	endpoint  string // empty: all endpoints
}

// several reports whether rows have to name the endpoint.
func (s scope) several() bool { return s.endpoint == "" }

// String says it in words, for the end of a sentence.
func (s scope) String() string {
	switch {
	case s.namespace == "":
		return "in any namespace"
	case s.endpoint == "":
		return "in the namespace " + s.namespace
	}
	return "of " + s.namespace + "/" + s.endpoint
}

// scopeFlag defines --all-namespaces.
func scopeFlag(cmd *cobra.Command, all *bool) {
	cmd.Flags().BoolVarP(all, "all-namespaces", "A", false, "of all namespaces")
}

// scopeOf is what an optional ENDPOINT argument and --all-namespaces mean.
func (a *app) scopeOf(ctx context.Context, args []string, all bool) (scope, error) {
	switch {
	case len(args) > 0 && all:
		return scope{}, cli.Usagef("--all-namespaces is for all endpoints: leave it out, or %s", args[0])
	case len(args) > 0:
		key, err := a.checkEndpoint(ctx, args[0])
		return scope{namespace: key.Namespace, endpoint: key.Name}, err
	}
	if _, err := a.connect(); err != nil {
		return scope{}, err
	}
	if all {
		return scope{}, nil
	}
	namespace, err := a.namespace()
	return scope{namespace: namespace}, err
}

// listEvents lists events that keep wants (nil: all), the newest first. It asks for
// page after page of dead letters; of others, the server gives one.
func (a *app) listEvents(ctx context.Context, s scope, selectors fields.Set, keep func(*eventsv1alpha1.WebhookEvent) bool) (*eventsv1alpha1.WebhookEventList, error) {
	if !s.several() {
		selectors = with(selectors, fieldEventEndpoint, s.endpoint)
	}
	list := &eventsv1alpha1.WebhookEventList{}
	for next := ""; ; {
		var page eventsv1alpha1.WebhookEventList
		if err := a.client.List(ctx, &page, client.InNamespace(s.namespace), client.MatchingFields(selectors),
			client.Limit(maxEvents), client.Continue(next)); err != nil {
			return nil, err
		}
		for i := range page.Items {
			if keep == nil || keep(&page.Items[i]) {
				list.Items = append(list.Items, page.Items[i])
			}
		}
		if next = page.Continue; next == "" {
			break
		}
	}
	slices.SortStableFunc(list.Items, func(x, y eventsv1alpha1.WebhookEvent) int {
		return y.Spec.ReceivedTime.Compare(x.Spec.ReceivedTime.Time)
	})
	return list, nil
}

// with returns a copy of a set in which a field has the value.
func with(set fields.Set, field, value string) fields.Set {
	more := fields.Set{}
	maps.Copy(more, set)
	more[field] = value
	return more
}

// listRecords lists the newest records, the oldest of them first.
func (a *app) listRecords(ctx context.Context, s scope, selectors fields.Set) (*eventsv1alpha1.WebhookRecordList, error) {
	if !s.several() {
		selectors = with(selectors, fieldRecordEndpoint, s.endpoint)
	}
	list := &eventsv1alpha1.WebhookRecordList{}
	if err := a.client.List(ctx, list, client.InNamespace(s.namespace), client.MatchingFields(selectors), client.Limit(maxRecords)); err != nil {
		return nil, err
	}
	return list, nil
}

// typeFilter reads patterns of event types, as routes have them. Without any, all
// types fit.
func typeFilter(patterns []string) (func(*eventsv1alpha1.WebhookEvent) bool, error) {
	types, err := match.ParseTypes(patterns)
	if err != nil {
		return nil, cli.Usagef("--type: %w", err)
	}
	return func(e *eventsv1alpha1.WebhookEvent) bool { return types.Match(e.Spec.Type) }, nil
}

// selectType adds the pattern to the selectors if there is one: the server can
// choose by one, and by no more.
func selectType(selectors fields.Set, patterns []string) fields.Set {
	if len(patterns) != 1 {
		return selectors
	}
	return with(selectors, fieldEventType, patterns[0])
}

// typeFlag defines --type.
func (a *app) typeFlag(cmd *cobra.Command, patterns *[]string) {
	cmd.Flags().StringArrayVar(patterns, "type", nil, "only events of this `type`; * stands for any characters, and several may be given")
	mustComplete(cmd, "type", a.completer(a.typeCandidates))
}

// stateNames are the states of events, for --state and its completion.
var stateNames = []string{
	string(eventsv1alpha1.StateDeadLettered), string(eventsv1alpha1.StateRetrying), string(eventsv1alpha1.StateHeld),
	string(eventsv1alpha1.StatePending), string(eventsv1alpha1.StateDelivered),
}

// stateOf reads a state in any case.
func stateOf(text string) (string, error) {
	for _, name := range stateNames {
		if strings.EqualFold(name, text) {
			return name, nil
		}
	}
	return "", cli.Usagef("--state=%s is no state: there are %s", text, strings.Join(stateNames, ", "))
}

// targetName is how people read the name of a delivery's target.
func targetName(route string) string {
	if route == "" {
		return "(target)"
	}
	return "route " + route
}

// fullName is namespace/name.
func fullName(namespace, name string) string { return fmt.Sprintf("%s/%s", namespace, name) }

// columns are names of columns, after those that say whose a row is.
func (s scope) columns(names ...string) []string {
	switch {
	case s.namespace == "":
		return append([]string{"NAMESPACE", "ENDPOINT"}, names...)
	case s.several():
		return append([]string{"ENDPOINT"}, names...)
	}
	return names
}

// cells are the cells of a row of those columns.
func (s scope) cells(namespace, endpoint string, cells ...any) []any {
	switch {
	case s.namespace == "":
		return append([]any{namespace, endpoint}, cells...)
	case s.several():
		return append([]any{endpoint}, cells...)
	}
	return cells
}
