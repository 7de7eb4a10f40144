package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// LabelPreset marks WebhookProviders that came with a build of Sallyport.
const LabelPreset = "hooks.sallyport.dev/preset"

// AnnotationPresetDigest says which version of a preset was put into the cluster
// last, so that a manager that starts writes only what has changed.
const AnnotationPresetDigest = "hooks.sallyport.dev/preset-digest"

// PresetInstaller puts the presets into the cluster, once, when the manager
// becomes the leader, so that `kubectl get webhookproviders` lists them. A
// preset that somebody edited stays as it is: whoever owns a field keeps it.
type PresetInstaller struct {
	Client  client.Client
	Presets []*v1alpha1.WebhookProvider
}

// Start implements manager.Runnable. Presets serve from memory too, so what
// can't be written is logged and does not stop the manager.
func (p *PresetInstaller) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("presets")
	for _, preset := range p.Presets {
		switch err := p.install(ctx, preset); {
		case apierrors.IsConflict(err):
			logger.Info("A preset was edited in the cluster and is left as it is", "provider", preset.Name)
		case err != nil && ctx.Err() == nil:
			logger.Error(err, "Could not put a preset into the cluster; it serves all the same", "provider", preset.Name)
		}
	}
	return nil
}

// install applies a preset without force, unless it was applied before.
func (p *PresetInstaller) install(ctx context.Context, preset *v1alpha1.WebhookProvider) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(preset)
	if err != nil {
		return err
	}
	delete(content, "status")
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("WebhookProvider"))
	object.SetLabels(map[string]string{labelManagedBy: managedBy, LabelPreset: "true"})
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(text))
	there, err := find(ctx, p.Client, client.ObjectKeyFromObject(preset), &v1alpha1.WebhookProvider{})
	if err != nil {
		return err
	}
	if there != nil && there.Annotations[AnnotationPresetDigest] == digest {
		return nil
	}
	object.SetAnnotations(map[string]string{AnnotationPresetDigest: digest})
	return p.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), FieldOwner)
}
