package main

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/config/providers"
)

// provider gets a WebhookProvider, or the preset of that name in this build: managers
// serve presets also where there is no object.
func (a *app) provider(ctx context.Context, name string) (*v1alpha1.WebhookProvider, error) {
	provider := &v1alpha1.WebhookProvider{}
	err := a.client.Get(ctx, types.NamespacedName{Name: name}, provider)
	if err == nil || !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) || isMissingAPI(err) {
		return provider, err
	}
	preset, found := builtIn(name)
	switch {
	case found && apierrors.IsForbidden(err):
		a.sayf("Warning: you may not read the WebhookProvider %s: the built-in preset is used, which the cluster's may differ from.", name)
	case !found && apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no WebhookProvider %s, and no preset of that name: kubectl get webhookproviders lists those that are there", name)
	case !found:
		return nil, err
	}
	return preset, nil
}

// builtIn is the preset of a name in this build.
func builtIn(name string) (*v1alpha1.WebhookProvider, bool) {
	text, err := providers.Files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, false
	}
	provider := &v1alpha1.WebhookProvider{}
	return provider, yaml.UnmarshalStrict(text, provider) == nil
}
