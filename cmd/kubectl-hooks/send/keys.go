package send

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
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

// keys are what to sign with: from files, or from the endpoint's Secret.
func (c *Command) keys(ctx context.Context) (keys, error) {
	var k keys
	var err error
	if c.privateKeyFile != "" {
		if k.privateKey, err = c.readInput("--private-key", c.privateKeyFile, maxKeyFile); err != nil {
			return keys{}, err
		}
	}
	if c.secretFile != "" {
		content, err := c.readInput("--secret-file", c.secretFile, maxKeyFile)
		if err != nil {
			return keys{}, err
		}
		if len(bytes.TrimSpace(content)) == 0 {
			return keys{}, cli.Usagef("--secret-file=%s holds nothing: put the secret into it", c.secretFile)
		}
		if k.value = secret.New(content); c.secretFile != "-" {
			k.command = "cat " + human.ShellWord(c.secretFile)
		}
		return k, nil
	}
	err = c.readSecret(ctx, &k)
	return k, err
}

// readSecret reads the endpoint's Secret, if it names one.
func (c *Command) readSecret(ctx context.Context, k *keys) error {
	namespace, ref := c.Endpoint.Namespace, c.Endpoint.Spec.SecretRef
	if ref == nil {
		return nil
	}
	name := namespace + "/" + ref.Name
	object := &corev1.Secret{}
	switch err := c.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, object); {
	case apierrors.IsForbidden(err) && len(k.privateKey) > 0:
		return nil // the private key is enough
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not read the Secret %s, which the endpoint's webhooks are signed with: write its value into a file and name that by --secret-file", name)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("there is no Secret %s, which the endpoint names in spec.secretRef: create it, or name a file with the secret by --secret-file", name)
	case err != nil:
		return err
	}
	key := cmp.Or(ref.Key, defaultSecretKey)
	entry, found := object.Data[key]
	if !found {
		return fmt.Errorf("the Secret %s has no entry %q, which the endpoint names in spec.secretRef.key: add it, or name a file with the secret by --secret-file", name, key)
	}
	k.value = secret.New(entry)
	k.command = fmt.Sprintf("kubectl get secret %s --namespace %s --output %s | base64 --decode",
		ref.Name, namespace, human.ShellWord("jsonpath={.data."+strings.ReplaceAll(key, ".", `\.`)+"}"))
	k.parameters = sensitiveParameters(c.Provider, object)
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
