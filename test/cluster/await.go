package cluster

import (
	"context"
	"errors"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// AwaitReady waits, as `kubectl wait --for=condition=Ready` does, until an
// endpoint is Ready in its latest generation.
func (c *Cluster) AwaitReady(ctx context.Context, endpoint types.NamespacedName) (*v1alpha1.WebhookEndpoint, error) {
	return c.AwaitCondition(ctx, endpoint, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// AwaitCondition waits until a condition of the latest generation of an
// endpoint has a status and a reason.
func (c *Cluster) AwaitCondition(ctx context.Context, endpoint types.NamespacedName, kind string, status metav1.ConditionStatus, reason string) (*v1alpha1.WebhookEndpoint, error) {
	var last string
	found, err := awaitObject(ctx, c.Client, &v1alpha1.WebhookEndpointList{}, endpoint, func(e *v1alpha1.WebhookEndpoint) bool {
		last = describe(e.Status.Conditions)
		condition := meta.FindStatusCondition(e.Status.Conditions, kind)
		return condition != nil && condition.Status == status && condition.Reason == reason && condition.ObservedGeneration == e.Generation
	})
	if err != nil {
		return nil, fmt.Errorf("wait for %s=%s (%s) of the endpoint %s: %w; its conditions: %s", kind, status, reason, endpoint, err, last)
	}
	return found, nil
}

// AwaitEndpoint waits until an endpoint matches.
func (c *Cluster) AwaitEndpoint(ctx context.Context, endpoint types.NamespacedName, match func(*v1alpha1.WebhookEndpoint) bool) (*v1alpha1.WebhookEndpoint, error) {
	found, err := awaitObject(ctx, c.Client, &v1alpha1.WebhookEndpointList{}, endpoint, match)
	if err != nil {
		return nil, fmt.Errorf("wait for the endpoint %s: %w", endpoint, err)
	}
	return found, nil
}

func describe(conditions []metav1.Condition) string {
	text := "none"
	for i, c := range conditions {
		if i == 0 {
			text = ""
		}
		text += fmt.Sprintf("\n\t%s=%s (%s, generation %d): %s", c.Type, c.Status, c.Reason, c.ObservedGeneration, c.Message)
	}
	return text
}

// AwaitEvent waits for a Kubernetes Event about an endpoint that matches.
func (c *Cluster) AwaitEvent(ctx context.Context, endpoint types.NamespacedName, match func(*eventsv1.Event) bool) (*eventsv1.Event, error) {
	key := types.NamespacedName{Namespace: endpoint.Namespace}
	found, err := awaitObject(ctx, c.Client, &eventsv1.EventList{}, key, func(e *eventsv1.Event) bool {
		return e.Regarding.Kind == "WebhookEndpoint" && e.Regarding.Name == endpoint.Name && match(e)
	})
	if err != nil {
		return nil, fmt.Errorf("wait for an Event about the endpoint %s: %w", endpoint, err)
	}
	return found, nil
}

// AwaitRoute waits until the route of an endpoint matches, and returns its
// resourceVersion.
func (c *Cluster) AwaitRoute(ctx context.Context, endpoint types.NamespacedName, match func(*corev1.Secret) bool) (version string, err error) {
	found, err := awaitObject(ctx, c.Client, &corev1.SecretList{}, routeOf(endpoint), match)
	if err != nil {
		return "", fmt.Errorf("wait for the route of %s: %w", endpoint, err)
	}
	return found.ResourceVersion, nil
}

// AwaitNoRoute waits until the route of an endpoint is gone.
func (c *Cluster) AwaitNoRoute(ctx context.Context, endpoint types.NamespacedName) error {
	key := routeOf(endpoint)
	// The watch comes before the look: nothing can go unseen in between.
	watcher, err := c.Client.Watch(ctx, &corev1.SecretList{}, selectOne(key)...)
	if err != nil {
		return err
	}
	defer watcher.Stop()
	if err := c.Client.Get(ctx, key, &corev1.Secret{}); err != nil {
		return client.IgnoreNotFound(err)
	}
	for {
		select {
		case event := <-watcher.ResultChan():
			if event.Type == watch.Deleted {
				return nil
			}
			if event.Object == nil {
				return errors.New("the watch for the end of a route has ended")
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of the route of %s: %w", endpoint, ctx.Err())
		}
	}
}

// AwaitServed waits until a receiver says that it serves the routes as of a
// resourceVersion.
func (c *Cluster) AwaitServed(ctx context.Context, receiver, version string) error {
	key := types.NamespacedName{Namespace: Namespace}
	_, err := awaitObject(ctx, c.Client, &coordinationv1.LeaseList{}, key, func(l *coordinationv1.Lease) bool {
		if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity != receiver {
			return false
		}
		order, err := resourceversion.CompareResourceVersion(l.Annotations[route.AnnotationServed], version)
		return err == nil && order >= 0
	})
	if err != nil {
		return fmt.Errorf("wait for %s to serve the routes as of %s: %w", receiver, version, err)
	}
	return nil
}

func routeOf(endpoint types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: Namespace, Name: route.SecretName(endpoint.Namespace, endpoint.Name)}
}

// selectOne selects the object of a name, or all of its namespace if there is none.
func selectOne(key types.NamespacedName) []client.ListOption {
	options := []client.ListOption{client.InNamespace(key.Namespace)}
	if key.Name != "" {
		options = append(options, client.MatchingFields{metav1.ObjectNameField: key.Name})
	}
	return options
}

// awaitObject watches an object, or all of a namespace, and returns the first
// that matches. The watch begins with what is there, and begins again if the
// API server ends it.
func awaitObject[T client.Object](ctx context.Context, c client.WithWatch, list client.ObjectList, key types.NamespacedName, match func(T) bool) (T, error) {
	var none T
	for {
		watcher, err := c.Watch(ctx, list, selectOne(key)...)
		if err != nil {
			return none, err
		}
		found, err := firstMatch(ctx, watcher, match)
		watcher.Stop()
		if !errors.Is(err, errWatchEnded) {
			return found, err
		}
	}
}

var errWatchEnded = errors.New("the API server ended the watch")

func firstMatch[T client.Object](ctx context.Context, watcher watch.Interface, match func(T) bool) (T, error) {
	var none T
	for {
		select {
		case event, open := <-watcher.ResultChan():
			if !open {
				return none, errWatchEnded
			}
			object, ok := event.Object.(T)
			if !ok {
				return none, fmt.Errorf("the watch reports %s: %w", event.Type, apierrors.FromObject(event.Object))
			}
			if event.Type != watch.Deleted && match(object) {
				return object, nil
			}
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}
