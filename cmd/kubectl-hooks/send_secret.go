package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// defaultSecretKey is the entry of a Secret if the endpoint names none.
const defaultSecretKey = "secret"

// keys are what a webhook is signed with.
type keys struct {
	value      secret.Value
	parameters verify.Parameters
	privateKey []byte
	// command of a shell that prints value, for people to copy.
	command string
}

// provider gets a WebhookProvider. Presets are built in, too: managers serve them
// also where there is no object of that name.
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

// secretOf gets what to sign with: from files, or from the endpoint's Secret.
func (a *app) secretOf(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint, provider *v1alpha1.WebhookProvider, o *sendOptions) (keys, error) {
	var k keys
	var err error
	if o.privateKeyFile != "" {
		if k.privateKey, err = a.readInput("--private-key", o.privateKeyFile, maxKeyFile); err != nil {
			return keys{}, err
		}
	}
	if o.secretFile != "" {
		content, err := a.readInput("--secret-file", o.secretFile, maxKeyFile)
		if err != nil {
			return keys{}, err
		}
		if len(bytes.TrimSpace(content)) == 0 {
			return keys{}, cli.Usagef("--secret-file=%s holds nothing: put the secret into it", o.secretFile)
		}
		if k.value = secret.New(content); o.secretFile != "-" {
			k.command = "cat " + shellWord(o.secretFile)
		}
		return k, nil
	}
	return k, a.readSecret(ctx, endpoint, provider, &k)
}

// readSecret reads the endpoint's Secret, if it names one.
func (a *app) readSecret(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint, provider *v1alpha1.WebhookProvider, k *keys) error {
	ref := endpoint.Spec.SecretRef
	if ref == nil {
		return nil
	}
	name := fullName(endpoint.Namespace, ref.Name)
	object := &corev1.Secret{}
	switch err := a.client.Get(ctx, types.NamespacedName{Namespace: endpoint.Namespace, Name: ref.Name}, object); {
	case apierrors.IsForbidden(err) && len(k.privateKey) > 0:
		return nil // the private key is enough
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not read the Secret %s, which the endpoint's webhooks are signed with: write its value into a file and name that by --secret-file", name)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("there is no Secret %s, which the endpoint names in spec.secretRef: create it, or name a file with the secret by --secret-file", name)
	case err != nil:
		return err
	}
	key := ref.Key
	if key == "" {
		key = defaultSecretKey
	}
	entry, found := object.Data[key]
	if !found {
		return fmt.Errorf("the Secret %s has no entry %q, which the endpoint names in spec.secretRef.key: add it, or name a file with the secret by --secret-file", name, key)
	}
	k.value = secret.New(entry)
	k.command = fmt.Sprintf("kubectl get secret %s --namespace %s --output %s | base64 --decode",
		ref.Name, endpoint.Namespace, shellWord("jsonpath={.data."+strings.ReplaceAll(key, ".", `\.`)+"}"))
	k.parameters = sensitiveParameters(provider, object)
	return nil
}

// sensitiveParameters are parameters of the provider that are entries of the Secret.
func sensitiveParameters(provider *v1alpha1.WebhookProvider, object *corev1.Secret) verify.Parameters {
	parameters := verify.Parameters{}
	for _, declared := range provider.Spec.Parameters {
		if value := bytes.TrimSuffix(object.Data[declared.Name], []byte("\n")); declared.Sensitive && len(value) > 0 {
			parameters[declared.Name] = append(parameters[declared.Name], secret.New(value))
		}
	}
	return parameters
}

// schemeOf is the scheme of a provider that has a name.
func schemeOf(provider *v1alpha1.WebhookProvider, name string) *v1alpha1.SignatureScheme {
	i := slices.IndexFunc(provider.Spec.Verify, func(s v1alpha1.SignatureScheme) bool { return s.Name == name })
	if i < 0 {
		return &v1alpha1.SignatureScheme{}
	}
	return &provider.Spec.Verify[i]
}
