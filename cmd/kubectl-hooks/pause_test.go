package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
)

func TestPauseAndResumeChangeTheEndpointOnce(t *testing.T) {
	namespace := newNamespace(t)
	endpoint := newEndpoint(t, namespace, "stripe", "stripe", nil)
	for _, step := range []struct {
		command string
		paused  bool
		says    []string
	}{
		{"resume", false, []string{"is not paused"}},
		{"pause", true, []string{"paused", "accepted and held", "until kubectl hooks resume " + namespace + "/stripe"}},
		{"pause", true, []string{"is paused already"}},
		{"resume", false, []string{"resumed", "is delivered now"}},
		{"resume", false, []string{"is not paused"}},
	} {
		before := version(t, endpoint)
		stdout, stderr, err := hooks(t, step.command, "stripe", "-n", namespace, "--wait=false")
		if err != nil {
			t.Fatal(err)
		}
		wantContains(t, stdout+stderr, step.says...)
		if after := version(t, endpoint); (after == before) != (strings.HasPrefix(step.says[0], "is ")) {
			t.Errorf("%s: the version was %s and is %s", step.command, before, after)
		}
		if endpoint.Spec.Paused != step.paused {
			t.Errorf("after %s, paused is %t", step.command, endpoint.Spec.Paused)
		}
	}
}

// version reads an endpoint anew.
func version(t *testing.T, endpoint *v1alpha1.WebhookEndpoint) string {
	t.Helper()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(endpoint), endpoint); err != nil {
		t.Fatal(err)
	}
	return endpoint.ResourceVersion
}

func TestPauseSaysWhatSyncMeans(t *testing.T) {
	namespace := newNamespace(t)
	newEndpoint(t, namespace, "slack", "slack", func(e *v1alpha1.WebhookEndpoint) {
		e.Spec.Delivery = &v1alpha1.DeliverySpec{Mode: v1alpha1.DeliveryModeSync}
	})
	_, stderr, err := hooks(t, "pause", "slack", "-n", namespace, "--wait=false")
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stderr, "Senders get 503")
}

func TestPauseWaitsUntilReceiversKnow(t *testing.T) {
	namespace := newNamespace(t)
	endpoint := newEndpoint(t, namespace, "stripe", "stripe", nil)
	_, stderr, err := hooks(t, "pause", "stripe", "-n", namespace, "--timeout=10ms")
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stderr, "Warning: not all receivers know of it yet")

	version(t, endpoint)
	endpoint.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonProgrammed,
		ObservedGeneration: endpoint.Generation + 1, LastTransitionTime: metav1.Now(),
	}}
	if err := api.Status().Update(t.Context(), endpoint); err != nil {
		t.Fatal(err)
	}
	_, stderr, err = hooks(t, "resume", "stripe", "-n", namespace)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stderr, "Warning") {
		t.Errorf("it warns of nothing: %s", stderr)
	}
}

func TestPauseWarnsOfGitOps(t *testing.T) {
	for name, test := range map[string]struct {
		owner  string
		paused *bool // in the manifest
		labels map[string]string
		want   string
	}{
		"nobody":                {"kubectl", nil, nil, ""},
		"Argo CD by a label":    {"kubectl", nil, map[string]string{"argocd.argoproj.io/instance": "billing"}, "Argo CD manages this endpoint and may put it back"},
		"Flux by a label":       {"kubectl", nil, map[string]string{"kustomize.toolkit.fluxcd.io/name": "billing"}, "Flux manages this endpoint and may"},
		"Flux by managedFields": {"kustomize-controller", nil, nil, "Flux manages this endpoint and may"},
		"Flux sets the field":   {"kustomize-controller", new(bool), nil, "Flux sets spec.paused of this endpoint and will put it back: write paused: true"},
		"Argo CD sets it":       {"argocd-controller", new(bool), nil, "Argo CD sets spec.paused of this endpoint and will put it back"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			apply(t, test.owner, namespace, test.labels, test.paused)
			_, stderr, err := hooks(t, "pause", "stripe", "-n", namespace, "--wait=false")
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" && strings.Contains(stderr, "Warning") {
				t.Errorf("it warns of nobody: %s", stderr)
			}
			wantContains(t, stderr, test.want)
		})
	}
}

// apply applies an endpoint as a GitOps tool does.
func apply(t *testing.T, owner, namespace string, labels map[string]string, paused *bool) {
	t.Helper()
	spec := map[string]any{
		"provider": "stripe", "secretRef": map[string]any{"name": "webhook"},
		"target": map[string]any{"service": map[string]any{"name": "orders", "port": int64(80)}},
	}
	if paused != nil {
		spec["paused"] = *paused
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("WebhookEndpoint"))
	object.SetNamespace(namespace)
	object.SetName("stripe")
	object.SetLabels(labels)
	if err := api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(owner)); err != nil {
		t.Fatal(err)
	}
}
