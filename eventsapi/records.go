package eventsapi

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// How many records a list has, if nothing is said and at most.
const (
	usualRecords = 100
	maxRecords   = 1000
)

// wantedRecords says which records are meant.
type wantedRecords struct {
	selector
	name string
}

func wantedRecordsOf(q *query) (wantedRecords, error) {
	s, err := parseSelector(q.info.FieldSelector, fieldRecordEndpoint, fieldRecordStatus, fieldRecordEventID)
	if err != nil {
		return wantedRecords{}, err
	}
	name, err := q.name(s)
	return wantedRecords{s, name}, err
}

func (w *wantedRecords) allow(r *eventsv1alpha1.WebhookRecord) bool {
	return (w.name == "" || w.name == r.Name) && w.allows(fieldRecordEndpoint, r.Endpoint) &&
		w.allows(fieldRecordStatus, r.ProcessingStatus) && w.allows(fieldRecordEventID, r.EventID)
}

// listRecords answers with the newest records. A watch that begins at the version of
// the list has what came after it.
func (a *api) listRecords(ctx context.Context, q *query) (runtime.Object, error) {
	w, err := wantedRecordsOf(q)
	if err != nil {
		return nil, err
	}
	limit, err := q.limit(usualRecords, maxRecords)
	if err != nil {
		return nil, err
	}
	refs, err := a.refs(ctx, q.info.Namespace, w.selector[fieldRecordEndpoint])
	if err != nil {
		return nil, err
	}
	all := journals(refs)
	ends, err := a.Store.JournalEnd(ctx, all)
	if err != nil {
		return nil, storeError(ctx, err)
	}
	end := newest(ends)
	var found []entry
	for _, journal := range all {
		entries, err := a.journal(ctx, journal)
		if err != nil {
			return nil, storeError(ctx, err)
		}
		for _, e := range entries {
			if record := recordOf(&e); millis(e.id) <= end && w.allow(&record) {
				found = append(found, e)
			}
		}
		slices.SortFunc(found, oldestFirst)
		found = found[max(0, len(found)-limit):]
	}
	list := &eventsv1alpha1.WebhookRecordList{TypeMeta: typeMeta(kindRecord + listSuffix), Items: make([]eventsv1alpha1.WebhookRecord, 0, len(found))}
	list.ResourceVersion = version(end)
	for i := range found {
		list.Items = append(list.Items, recordOf(&found[i]))
	}
	return list, nil
}

// newest is the millisecond of the newest record of all.
func newest(ends map[string]string) (ms uint64) {
	for _, id := range ends {
		ms = max(ms, millis(id))
	}
	return ms
}

// version is the resourceVersion of what was written up to a millisecond.
func version(ms uint64) string { return strconv.FormatUint(ms, 10) }

// oldestFirst is the order in which records were written. Receivers write many at a
// time; of these, it is the order in which things happened.
func oldestFirst(a, b entry) int {
	return cmp.Or(cmp.Compare(millis(a.id), millis(b.id)), a.record.Time.Compare(b.record.Time),
		cmp.Compare(a.endpoint.String(), b.endpoint.String()), compareIDs(a.id, b.id))
}

// compareIDs compares ids of one millisecond: a longer number is a greater one.
func compareIDs(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}
