package main

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// provider gets a WebhookProvider, or the preset of that name in this build: managers
// serve presets also where there is no object.
func (a *app) provider(ctx context.Context, name string) (*v1alpha1.WebhookProvider, error) {
	object := &v1alpha1.WebhookProvider{}
	err := a.client.Get(ctx, types.NamespacedName{Name: name}, object)
	if err == nil || !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) || isMissingAPI(err) {
		return object, err
	}
	preset, problem := provider.Preset(name)
	switch {
	case problem == nil && apierrors.IsForbidden(err):
		a.sayf("Warning: you may not read the WebhookProvider %s: the built-in preset is used, which the cluster's may differ from.", name)
	case problem != nil && apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no WebhookProvider %s, and no preset of that name: kubectl get webhookproviders lists those that are there", name)
	case problem != nil:
		return nil, err
	}
	return preset, nil
}
