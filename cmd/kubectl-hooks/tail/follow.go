package tail

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// maxRecords is the most that the events API gives at a time.
const maxRecords = 1000

// maxSeen bounds how many names of records are remembered; it is more than are
// kept of many endpoints.
const maxSeen = 50_000

// rewatchPause is the time between the end of a watch and the next one, so that
// an API server which ends each at once is not asked without pause.
const rewatchPause = time.Second

// Follower shows records as they come.
type Follower struct {
	Client client.WithWatch
	// Namespace has the records; empty: all namespaces.
	Namespace string
	// Selectors are what the server chooses by, and Keep chooses among the rest.
	Selectors fields.Set
	Keep      func(*eventsv1alpha1.WebhookRecord) bool
	// Past is how many records of the past are shown first.
	Past int
	// Show prints a record.
	Show func(*eventsv1alpha1.WebhookRecord) error
	// Final reports whether an error of the server stays, whoever waits.
	Final func(error) bool
	// Interrupted tells people of an error that may pass. It is called once until the
	// server answers again.
	Interrupted func(error)

	started bool   // the past was shown
	version string // of what was seen last
	seen    map[string]bool
	older   map[string]bool // seen before those of seen
	trouble bool            // Interrupted was called
}

// Run shows the last records of the past and then all that come, until ctx ends or
// the server refuses.
func (f *Follower) Run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (!f.started || f.ends(err)):
			return err
		case err != nil && !f.trouble:
			f.trouble = true
			f.Interrupted(err)
		}
		f.started = true
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// showError is that a record could not be shown.
type showError struct{ error }

// ends reports whether no further watch is to be tried after an error.
func (f *Follower) ends(err error) bool {
	_, showing := errors.AsType[showError](err)
	return showing || f.Final(err)
}

// follow shows what there is that was not shown yet, and what comes until the
// watch ends. An error is one of the server that can't be asked.
func (f *Follower) follow(ctx context.Context) error {
	if f.version == "" {
		if err := f.catchUp(ctx); err != nil {
			return err
		}
	}
	watcher, err := f.Client.Watch(ctx, &eventsv1alpha1.WebhookRecordList{}, &client.ListOptions{
		Namespace:     f.Namespace,
		FieldSelector: f.Selectors.AsSelector(),
		Raw:           &metav1.ListOptions{ResourceVersion: f.version, AllowWatchBookmarks: true},
	})
	if err != nil {
		f.forgetVersion(err)
		return err
	}
	defer watcher.Stop()
	f.trouble = false
	if err := f.take(ctx, watcher); ctx.Err() != nil || err != nil && f.ends(err) {
		return err
	}
	return nil // a watch may break off at any time: the next one goes on where it was
}

// catchUp lists what is kept. At first it shows the end of that, later what came
// while nobody watched.
func (f *Follower) catchUp(ctx context.Context) error {
	list := &eventsv1alpha1.WebhookRecordList{}
	if err := f.Client.List(ctx, list, client.InNamespace(f.Namespace), client.MatchingFields(f.Selectors), client.Limit(maxRecords)); err != nil {
		return err
	}
	f.version = list.ResourceVersion
	kept := slices.DeleteFunc(list.Items, func(r eventsv1alpha1.WebhookRecord) bool { return !f.Keep(&r) })
	for i := range kept {
		r := &kept[i]
		if f.note(r) && (f.started || i >= len(kept)-f.Past) {
			if err := f.show(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// take shows what a watch reports until it ends.
func (f *Follower) take(ctx context.Context, watcher watch.Interface) error {
	for {
		select {
		case event, open := <-watcher.ResultChan():
			if !open {
				return nil
			}
			if err := f.takeOne(event); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takeOne shows one event of a watch, if there is something new in it.
func (f *Follower) takeOne(event watch.Event) error {
	if event.Type == watch.Error {
		err := apierrors.FromObject(event.Object)
		f.forgetVersion(err)
		return err
	}
	r, ok := event.Object.(*eventsv1alpha1.WebhookRecord)
	if !ok {
		return nil
	}
	if r.ResourceVersion != "" {
		f.version = r.ResourceVersion
	}
	if event.Type != watch.Added || !f.Keep(r) || !f.note(r) {
		return nil
	}
	return f.show(r)
}

func (f *Follower) show(r *eventsv1alpha1.WebhookRecord) error {
	if err := f.Show(r); err != nil {
		return showError{err}
	}
	return nil
}

// forgetVersion makes the next watch begin with a list if the server does not know
// any more what came after the version.
func (f *Follower) forgetVersion(err error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		f.version = ""
	}
}

// note remembers a record, and reports whether it is new.
func (f *Follower) note(r *eventsv1alpha1.WebhookRecord) bool {
	name := r.Namespace + "/" + r.Name
	if f.seen[name] || f.older[name] {
		return false
	}
	if f.seen == nil || len(f.seen) >= maxSeen {
		f.seen, f.older = map[string]bool{}, f.seen
	}
	f.seen[name] = true
	return true
}
