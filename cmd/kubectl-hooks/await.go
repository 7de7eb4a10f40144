package main

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rewatchPause is the time between the end of a watch and the next one, so that
// an API server which ends each at once is not asked without pause.
const rewatchPause = time.Second

// await calls done with an object as it is, and after each change of it, until done
// returns true or an error, or ctx ends. list is a list of its type. A deleted object
// is a NotFound error.
func await[T client.Object](ctx context.Context, c client.WithWatch, object T, list client.ObjectList, done func(T) (bool, error)) error {
	key := client.ObjectKeyFromObject(object)
	for {
		if err := c.Get(ctx, key, object); err != nil {
			return err
		}
		if over, err := done(object); over || err != nil {
			return err
		}
		watcher, err := c.Watch(ctx, list, &client.ListOptions{
			Namespace:     key.Namespace,
			FieldSelector: selectName(key.Name),
			Raw:           &metav1.ListOptions{ResourceVersion: object.GetResourceVersion()},
		})
		if err != nil {
			return err
		}
		over, err := changes(ctx, watcher, done)
		watcher.Stop()
		if over || err != nil {
			return err
		}
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// changes calls done with what a watch reports until the watch ends; over: done
// returned true.
func changes[T client.Object](ctx context.Context, watcher watch.Interface, done func(T) (bool, error)) (over bool, err error) {
	for {
		select {
		case event, open := <-watcher.ResultChan():
			object, ok := event.Object.(T)
			switch {
			case !open || event.Type == watch.Error:
				return false, nil // begin anew with how the object is
			case !ok:
				continue // a bookmark
			case event.Type == watch.Deleted:
				return false, apierrors.NewNotFound(schema.GroupResource{Resource: "object"}, object.GetName())
			}
			if over, err := done(object); over || err != nil {
				return over, err
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// selectName selects the object of a name.
func selectName(name string) fields.Selector {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, name)
}
