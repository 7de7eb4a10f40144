package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// The endpoints of config/samples.
var (
	githubSample = types.NamespacedName{Namespace: "shop", Name: "github"}
	stripeSample = types.NamespacedName{Namespace: "shop", Name: "stripe"}
)

// applySamples applies config/samples and waits, like `kubectl wait`, until
// every receiver serves them.
func (d *demo) applySamples(ctx context.Context) error {
	d.out.step("samples")
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := d.cluster.Apply(ctx, "config/samples"); err != nil {
		return err
	}
	for _, name := range []types.NamespacedName{githubSample, stripeSample} {
		if _, err := d.cluster.AwaitReady(ctx, name); err != nil {
			return err
		}
	}
	d.out.done("config/samples is applied; %s and %s are Ready", githubSample, stripeSample)
	return nil
}

// sample reads an endpoint and the secret that its provider signs with.
func (d *demo) sample(ctx context.Context, name types.NamespacedName) (url, secret string, err error) {
	var endpoint v1alpha1.WebhookEndpoint
	if err := d.cluster.Client.Get(ctx, name, &endpoint); err != nil {
		return "", "", err
	}
	var object corev1.Secret
	ref := endpoint.Spec.SecretRef
	if err := d.cluster.Client.Get(ctx, types.NamespacedName{Namespace: name.Namespace, Name: ref.Name}, &object); err != nil {
		return "", "", err
	}
	value := object.Data[ref.Key]
	if len(value) == 0 {
		return "", "", fmt.Errorf("the Secret %s has nothing in %q", ref.Name, ref.Key)
	}
	return endpoint.Status.URL, string(value), nil
}
