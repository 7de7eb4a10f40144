package eventsapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/store"
)

// How many events a list has, if nothing is said and at most.
const (
	usualEvents = 100
	maxEvents   = 500
)

// wanted says which events are meant.
type wanted struct {
	selector
	types    match.Types
	patterns []string // of types, as the selector has them
}

func wantedOf(s selector) (wanted, error) {
	w := wanted{selector: s}
	if pattern, ok := s[fieldType]; ok {
		w.patterns = []string{pattern}
		var err error
		if w.types, err = match.ParseTypes(w.patterns); err != nil {
			return w, apierrors.NewBadRequest(fmt.Sprintf("the field selector %s: %v", fieldType, err))
		}
	}
	return w, nil
}

// ids are the ids of events that are meant; nil: any.
func (w *wanted) ids() []string {
	if id, ok := w.selector[fieldEventID]; ok {
		return []string{id}
	}
	return nil
}

func (w *wanted) allow(e *eventsv1alpha1.WebhookEvent) bool {
	return w.allows(fieldEndpoint, e.Spec.Endpoint) && w.allows(fieldEventID, e.Spec.EventID) &&
		w.allows(fieldState, string(e.Status.State)) && w.types.Match(e.Spec.Type)
}

// listEvents answers with dead letters, page by page, if these are asked for; else
// with the events that were received last.
func (a *api) listEvents(ctx context.Context, q *query) (runtime.Object, error) {
	s, err := parseSelector(q.info.FieldSelector, fieldEndpoint, fieldType, fieldEventID, fieldState)
	if err != nil {
		return nil, err
	}
	if err := checkState(s); err != nil {
		return nil, err
	}
	w, err := wantedOf(s)
	if err != nil {
		return nil, err
	}
	name, err := q.name(s)
	if err != nil {
		return nil, err
	}
	limit, err := q.limit(usualEvents, maxEvents)
	if err != nil {
		return nil, err
	}
	list := &eventsv1alpha1.WebhookEventList{TypeMeta: typeMeta(kindEvent + listSuffix), Items: []eventsv1alpha1.WebhookEvent{}}
	switch {
	case name != "":
		err = a.listOne(ctx, q.info.Namespace, name, &w, list)
	case s[fieldState] == string(eventsv1alpha1.StateDeadLettered):
		err = a.listDeadLetters(ctx, q, &w, limit, list)
	default:
		err = a.listRecent(ctx, q.info.Namespace, &w, limit, list)
	}
	return list, err
}

// checkState refuses a state that there is none of: it may be mistyped.
func checkState(s selector) error {
	states := []string{
		string(eventsv1alpha1.StateDeadLettered), string(eventsv1alpha1.StateRetrying), string(eventsv1alpha1.StateHeld),
		string(eventsv1alpha1.StatePending), string(eventsv1alpha1.StateDelivered),
	}
	if state, ok := s[fieldState]; ok && !slices.Contains(states, state) {
		return apierrors.NewBadRequest(fmt.Sprintf("there is no state %q: there are %s", state, strings.Join(states, ", ")))
	}
	return nil
}

// listOne lists the event of a name, if it is one of those that are meant.
func (a *api) listOne(ctx context.Context, namespace, name string, w *wanted, list *eventsv1alpha1.WebhookEventList) error {
	e, err := a.event(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	if w.allow(e) {
		list.Items = append(list.Items, *e)
	}
	return nil
}

// listRecent lists the events that endpoints received last. Where the state matters,
// which only the store knows, as many are looked up as ever.
func (a *api) listRecent(ctx context.Context, namespace string, w *wanted, limit int, list *eventsv1alpha1.WebhookEventList) error {
	refs, err := a.refs(ctx, namespace, w.selector[fieldEndpoint])
	if err != nil {
		return err
	}
	most := limit
	if w.selector[fieldState] != "" {
		most = maxEvents
	}
	var found []*seenEvent
	for _, r := range refs {
		seen, err := a.seen(ctx, r, w)
		if err != nil {
			return storeError(ctx, err)
		}
		found = append(found, seen...)
		slices.SortFunc(found, newestFirst)
		found = found[:min(len(found), most)]
	}
	events, err := a.refresh(ctx, found)
	if err != nil {
		return storeError(ctx, err)
	}
	for i := range events {
		if w.allow(&events[i]) && len(list.Items) < limit {
			list.Items = append(list.Items, events[i])
		}
	}
	return nil
}

// seen are the events of the journal of an endpoint that are meant. One whose id is
// known may be stored all the same when the journal has forgotten it.
func (a *api) seen(ctx context.Context, endpoint endpointRef, w *wanted) ([]*seenEvent, error) {
	entries, err := a.journal(ctx, endpoint.String())
	if err != nil {
		return nil, err
	}
	seen := slices.DeleteFunc(seenEvents(entries), func(s *seenEvent) bool {
		return !w.allows(fieldEventID, s.record.EventID) || !w.types.Match(s.record.EventType)
	})
	if ids := w.ids(); len(seen) == 0 && ids != nil {
		seen = append(seen, &seenEvent{endpoint: endpoint, record: audit.Record{EventID: ids[0]}})
	}
	return seen, nil
}

// refresh says what has become of events by now. The journal only counts where the
// store has forgotten that an event was delivered; others that the store does not
// have are left out: they were purged, or expired.
func (a *api) refresh(ctx context.Context, seen []*seenEvent) ([]eventsv1alpha1.WebhookEvent, error) {
	if len(seen) == 0 {
		return nil, nil
	}
	names := make([]string, len(seen))
	for i, s := range seen {
		names[i] = s.name()
	}
	infos, err := a.lookup(ctx, names)
	if err != nil {
		return nil, err
	}
	events := make([]eventsv1alpha1.WebhookEvent, 0, len(seen))
	for i, s := range seen {
		info, stored := infos[names[i]]
		switch {
		case stored && !info.Delivered:
			events = append(events, eventOf(info))
		case stored || s.last == audit.Delivered:
			events = append(events, deliveredOf(s))
		}
	}
	return events, nil
}

func (a *api) lookup(ctx context.Context, names []string) (map[string]*store.EventInfo, error) {
	found, err := a.Store.Lookup(ctx, names)
	if err != nil {
		return nil, err
	}
	infos := make(map[string]*store.EventInfo, len(found))
	for i := range found {
		infos[found[i].Name] = &found[i]
	}
	return infos, nil
}

// getEvent answers with one event.
func (a *api) getEvent(ctx context.Context, q *query) (runtime.Object, error) {
	return a.event(ctx, q.info.Namespace, q.info.Name)
}

// event finds an event of a namespace. Of one that is delivered the store does not
// know any more whose it was: the journals of the namespace do.
func (a *api) event(ctx context.Context, namespace, name string) (*eventsv1alpha1.WebhookEvent, error) {
	info, err := a.stored(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if info != nil && !info.Delivered {
		e := eventOf(info)
		return &e, nil
	}
	refs, err := a.refs(ctx, namespace, "")
	if err != nil {
		return nil, err
	}
	for _, r := range refs {
		entries, err := a.journal(ctx, r.String())
		if err != nil {
			return nil, storeError(ctx, err)
		}
		for _, s := range seenEvents(entries) {
			if s.name() == name && (info != nil || s.last == audit.Delivered) {
				e := deliveredOf(s)
				return &e, nil
			}
		}
	}
	return nil, notFound(eventsv1alpha1.ResourceWebhookEvents, name)
}

// stored looks an event up; nil: nothing is stored under this name. An event of
// another namespace does not exist here.
func (a *api) stored(ctx context.Context, namespace, name string) (*store.EventInfo, error) {
	infos, err := a.lookup(ctx, []string{name})
	switch {
	case errors.Is(err, store.ErrName):
		return nil, notFound(eventsv1alpha1.ResourceWebhookEvents, name)
	case err != nil:
		return nil, storeError(ctx, err)
	}
	info := infos[name]
	if info != nil && !info.Delivered && refOf(info.Event.Endpoint).namespace != namespace {
		return nil, notFound(eventsv1alpha1.ResourceWebhookEvents, name)
	}
	return info, nil
}
