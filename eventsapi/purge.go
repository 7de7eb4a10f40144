package eventsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// How much one request may purge, and for how long.
const (
	maxPurged   = 5000
	purgeBudget = 20 * time.Second
)

// CausePurged is the type of the cause in the details of a Status that says how many
// dead letters were purged: its message is the number.
const CausePurged metav1.CauseType = "DeadLettersPurged"

// dryRun reads the options of a DELETE. What they ask for and is not understood must
// not be ignored: there is no way back.
func (q *query) dryRun() (bool, error) {
	options := metav1.DeleteOptions{}
	if len(q.body) > 0 {
		if err := json.Unmarshal(q.body, &options); err != nil {
			return false, apierrors.NewBadRequest("the body is not DeleteOptions as JSON")
		}
	}
	if options.Preconditions != nil {
		return false, conflict(q.info.Name, "a webhook event has neither UID nor resourceVersion, so no precondition can be met")
	}
	all := slices.Concat(options.DryRun, q.values["dryRun"])
	if slices.ContainsFunc(all, func(s string) bool { return s != metav1.DryRunAll }) {
		return false, apierrors.NewBadRequest("dryRun can only be All")
	}
	return len(all) > 0, nil
}

// deleteEvent purges the dead letters of an event, of which all other deliveries must
// be done.
func (a *api) deleteEvent(ctx context.Context, q *query) (runtime.Object, error) {
	name := q.info.Name
	dryRun, err := q.dryRun()
	if err != nil {
		return nil, err
	}
	e, err := a.event(ctx, q.info.Namespace, name)
	if err != nil {
		return nil, err
	}
	if err := purgeable(e); err != nil {
		return nil, err
	}
	p := purge{api: a, q: q, dryRun: dryRun}
	query := store.DeadQuery{Endpoint: endpointRef{e.Namespace, e.Spec.Endpoint}.String(), IDs: []string{e.Spec.EventID}}
	if err := p.all(ctx, query, maxPurged); err != nil {
		return nil, err
	}
	if p.purged == 0 {
		return nil, conflict(name, "it has been delivered, replayed or purged just now")
	}
	return p.status(name), nil
}

// purgeable says why an event can't be purged.
func purgeable(e *eventsv1alpha1.WebhookEvent) error {
	if len(e.Status.Deliveries) == 0 {
		return conflict(e.Name, "it is delivered, and only dead letters can be deleted")
	}
	for _, d := range e.Status.Deliveries {
		if d.State != eventsv1alpha1.StateDeadLettered {
			return conflict(e.Name, fmt.Sprintf("its delivery to %s is not done (%s), and only dead letters can be deleted", targetOf(d.Route), d.State))
		}
	}
	return nil
}

func targetOf(route string) string {
	if route == "" {
		return "the target"
	}
	return fmt.Sprintf("the route %q", route)
}

// deleteEvents purges the dead letters of one endpoint that the field selector means.
// An endpoint must be named, so that nobody who forgets the selector purges all of a
// namespace. What was given up after the request came is not meant.
func (a *api) deleteEvents(ctx context.Context, q *query) (runtime.Object, error) {
	s, err := parseSelector(q.info.FieldSelector, fieldEndpoint, fieldType, fieldEventID, fieldState)
	if err != nil {
		return nil, err
	}
	w, err := wantedOf(s)
	if err != nil {
		return nil, err
	}
	switch {
	case q.info.Namespace == "" || s[fieldEndpoint] == "":
		return nil, apierrors.NewBadRequest("name the endpoint whose dead letters are to be deleted, by its namespace and the field selector " + fieldEndpoint)
	case !s.allows(fieldState, string(eventsv1alpha1.StateDeadLettered)):
		return nil, apierrors.NewBadRequest(fmt.Sprintf("only %s=%s can be deleted", fieldState, eventsv1alpha1.StateDeadLettered))
	case s[fieldName] != "":
		return nil, apierrors.NewBadRequest("delete one event by its name, and not by the field selector " + fieldName)
	}
	most, err := q.limit(maxPurged, maxPurged)
	if err != nil {
		return nil, err
	}
	dryRun, err := q.dryRun()
	if err != nil {
		return nil, err
	}
	p := purge{api: a, q: q, dryRun: dryRun}
	err = p.all(ctx, store.DeadQuery{
		Endpoint: endpointRef{q.info.Namespace, s[fieldEndpoint]}.String(), Types: w.patterns, IDs: w.ids(), GivenUpBefore: a.Store.Now(),
	}, most)
	if err != nil {
		return nil, err
	}
	return p.status(""), nil
}

// purge is one request to purge dead letters.
type purge struct {
	*api
	q      *query
	dryRun bool
	purged int
	more   bool // there are others, for another request
}

// all purges what a query means, up to so many and for so long. What was purged
// before an error is audited.
func (p *purge) all(ctx context.Context, query store.DeadQuery, most int) error {
	for began := time.Now(); ; {
		if most-p.purged <= 0 || time.Since(began) > purgeBudget {
			p.more = true
			return nil
		}
		query.Limit = most - p.purged
		page, err := p.Store.DeadLetters(ctx, query)
		if err != nil {
			return storeError(ctx, err)
		}
		for _, l := range page.Letters {
			if err := p.one(ctx, l); err != nil {
				return storeError(ctx, err)
			}
		}
		if query.Continue = page.Continue; query.Continue == "" {
			return nil
		}
	}
}

// one purges a dead letter, if it still is one.
func (p *purge) one(ctx context.Context, l store.DeadLetter) error {
	if p.dryRun {
		p.purged++
		return nil
	}
	err := p.Store.Purge(ctx, l)
	switch {
	case errors.Is(err, store.ErrFenced):
		return nil
	case err != nil:
		return err
	}
	p.purged++
	p.Audit.Record(p.record(l))
	return nil
}

// record writes into the audit log who purged a dead letter.
func (p *purge) record(l store.DeadLetter) audit.Record {
	r := audit.Of(l.Event.Meta, audit.Purged, p.Store.Now())
	r.ErrorMessage = fmt.Sprintf("purged by %q: it was not delivered to %s", p.q.user.GetName(), targetOf(l.Target))
	return r
}

// status says what came of it. Of a collection, the token to continue says that there
// is more to be deleted: by the same request, once more.
func (p *purge) status(name string) *metav1.Status {
	s := &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusSuccess,
		Message:  fmt.Sprintf("%d dead letters are purged", p.purged),
		Details: &metav1.StatusDetails{
			Name: name, Group: eventsv1alpha1.SchemeGroupVersion.Group, Kind: eventsv1alpha1.ResourceWebhookEvents,
			Causes: []metav1.StatusCause{{Type: CausePurged, Message: strconv.Itoa(p.purged)}},
		},
	}
	if p.purged == 1 {
		s.Message = "1 dead letter is purged"
	}
	if p.dryRun {
		s.Message += " (dry run)"
	}
	if p.more {
		s.Continue = "more"
		s.Message += "; there are more: delete again"
	}
	return s
}
