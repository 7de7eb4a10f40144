package main

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// maxSeen bounds how many names of records are remembered; it is more than are
// kept of many endpoints.
const maxSeen = 50_000

// follower shows records as they come, each once, across watches that end and
// servers that go away.
type follower struct {
	*app
	scope     scope
	selectors fields.Set
	keep      func(*eventsv1alpha1.WebhookRecord) bool // beside the selectors
	show      func(*eventsv1alpha1.WebhookRecord) error

	version string // of what was seen last
	seen    map[string]bool
	older   map[string]bool // seen before those of seen
	trouble bool            // it was said that there is some
}

// run shows the last records of the past and then all that come, until ctx ends or
// the server refuses.
func (f *follower) run(ctx context.Context, past int) error {
	first := true
	for {
		err := f.follow(ctx, past, first)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (first || !passes(err)):
			return err
		case err != nil && !f.trouble:
			f.trouble = true
			f.sayf("The watch is interrupted until the server answers again: %v", explain(err))
		}
		first = false
		if err := beforeRewatch(ctx); err != nil {
			return err
		}
	}
}

// printError is that a record could not be printed.
type printError struct{ error }

// passes reports whether an error may pass by itself.
func passes(err error) bool {
	_, printing := errors.AsType[printError](err)
	return !printing && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) && !isMissingAPI(err)
}

// follow shows what there is that was not shown yet, and what comes until the
// watch ends. An error is one of the server that can't be asked.
func (f *follower) follow(ctx context.Context, past int, first bool) error {
	if f.version == "" {
		if err := f.catchUp(ctx, past, first); err != nil {
			return err
		}
	}
	selectors := f.selectors
	if !f.scope.several() {
		selectors = with(selectors, fieldRecordEndpoint, f.scope.endpoint)
	}
	watcher, err := f.client.Watch(ctx, &eventsv1alpha1.WebhookRecordList{}, &client.ListOptions{
		Namespace:     f.scope.namespace,
		FieldSelector: selectors.AsSelector(),
		Raw:           &metav1.ListOptions{ResourceVersion: f.version, AllowWatchBookmarks: true},
	})
	if err != nil {
		f.forgetVersion(err)
		return err
	}
	defer watcher.Stop()
	f.trouble = false
	if err := f.take(ctx, watcher); ctx.Err() != nil || err != nil && !passes(err) {
		return err
	}
	return nil // a watch may break off at any time: the next one goes on where it was
}

// catchUp lists what is kept. At first it shows the end of that, later what came
// while nobody watched.
func (f *follower) catchUp(ctx context.Context, past int, first bool) error {
	list, err := f.listRecords(ctx, f.scope, f.selectors)
	if err != nil {
		return err
	}
	f.version = list.ResourceVersion
	kept := slices.DeleteFunc(list.Items, func(r eventsv1alpha1.WebhookRecord) bool { return !f.keep(&r) })
	for i := range kept {
		r := &kept[i]
		if f.note(r) && (!first || i >= len(kept)-past) {
			if err := f.print(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// take shows what a watch reports until it ends.
func (f *follower) take(ctx context.Context, watcher watch.Interface) error {
	for {
		select {
		case event, open := <-watcher.ResultChan():
			if !open {
				return nil
			}
			if err := f.one(event); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// one takes what a watch reports.
func (f *follower) one(event watch.Event) error {
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
	if event.Type != watch.Added || !f.keep(r) || !f.note(r) {
		return nil
	}
	return f.print(r)
}

func (f *follower) print(r *eventsv1alpha1.WebhookRecord) error {
	if err := f.show(r); err != nil {
		return printError{err}
	}
	return nil
}

// forgetVersion has the next watch begin with a list if the server does not know
// any more what came after the version.
func (f *follower) forgetVersion(err error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		f.version = ""
	}
}

// note remembers a record, and reports whether it is new.
func (f *follower) note(r *eventsv1alpha1.WebhookRecord) bool {
	name := fullName(r.Namespace, r.Name)
	if f.seen[name] || f.older[name] {
		return false
	}
	if f.seen == nil || len(f.seen) >= maxSeen {
		f.seen, f.older = map[string]bool{}, f.seen
	}
	f.seen[name] = true
	return true
}
