package eventsapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// usualWatch and maxWatch are how long a watch lasts, if nothing is said and at
	// most. Clients then watch anew.
	usualWatch = 40 * time.Minute
	maxWatch   = time.Hour
	// followWait is how long one look at the journals waits. New endpoints are
	// noticed no later.
	followWait = 5 * time.Second
)

// watcher follows the journals of endpoints, as long as somebody listens.
type watcher struct {
	*api
	namespace string
	wanted    wantedRecords
	since     uint64            // the millisecond after which records are new
	after     map[string]string // by journal: the id of the last record that was seen
}

// watchRecords sends records as they come, for so long or until ctx ends. An error
// before begin is an answer; one after it is sent as the last frame.
func (a *api) watchRecords(ctx context.Context, q *query, long time.Duration, begin func() error, send func(watch.EventType, runtime.Object) error) error {
	end := time.Now().Add(long)
	w, err := a.newWatcher(ctx, q)
	if err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	for {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		entries, err := w.next(ctx, min(left, followWait))
		if ctx.Err() != nil {
			return nil //nolint:nilerr // nobody listens any more
		}
		if err != nil {
			return send(watch.Error, statusOfError(err))
		}
		for i := range entries {
			record := recordOf(&entries[i])
			if !w.wanted.allow(&record) {
				continue
			}
			if err := send(watch.Added, &record); err != nil {
				return err
			}
		}
	}
}

// newWatcher finds out where the watch begins: at a version that a list had, or now.
func (a *api) newWatcher(ctx context.Context, q *query) (*watcher, error) {
	if q.values.Get("sendInitialEvents") == "true" {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "",
			field.ErrorList{field.Forbidden(field.NewPath("sendInitialEvents"), "list the records, and watch from there on")})
	}
	wanted, err := wantedRecordsOf(q)
	if err != nil {
		return nil, err
	}
	w := &watcher{api: a, namespace: q.info.Namespace, wanted: wanted, after: map[string]string{}}
	refs, err := w.refs(ctx, w.namespace, wanted.selector[fieldRecordEndpoint])
	if err != nil {
		return nil, err
	}
	if text := q.values.Get("resourceVersion"); text != "" && text != "0" {
		if w.since, err = strconv.ParseUint(text, 10, 63); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion=%s is not that of a list", text))
		}
		return w, nil
	}
	if w.after, err = a.Store.JournalEnd(ctx, journals(refs)); err != nil {
		return nil, storeError(ctx, err)
	}
	w.since = newest(w.after)
	return w, nil
}

// next waits for records, and returns none after a while. Endpoints may come and go.
func (w *watcher) next(ctx context.Context, wait time.Duration) ([]entry, error) {
	refs, err := w.refs(ctx, w.namespace, w.wanted.selector[fieldRecordEndpoint])
	if err != nil {
		return nil, err
	}
	all := journals(refs)
	for _, journal := range all {
		if w.after[journal] == "" && w.since > 0 {
			w.after[journal] = endOf(w.since)
		}
	}
	found, err := w.Store.FollowJournal(ctx, all, w.after, wait)
	if err != nil {
		return nil, storeError(ctx, err)
	}
	var entries []entry
	for journal, kept := range found {
		entries = append(entries, w.take(journal, kept)...)
	}
	slices.SortFunc(entries, oldestFirst)
	return entries, nil
}

// take reads new records of a journal, and goes past those that can't be read.
func (w *watcher) take(journal string, kept []store.JournalRecord) []entry {
	entries := make([]entry, 0, len(kept))
	for _, k := range kept {
		w.after[journal] = k.ID
		if e, ok := entryOf(journal, k); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// statusOfError is how an error is told within a watch.
func statusOfError(err error) *metav1.Status {
	status := apierrors.NewInternalError(errInternal).Status()
	var known apierrors.APIStatus
	if errors.As(err, &known) {
		status = known.Status()
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return &status
}
