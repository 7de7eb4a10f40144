package main

import (
	"bytes"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// gitOpsTools are the tools that keep objects as they are in Git, and how to see
// that they keep one: by a label or an annotation with a prefix, or by the name by
// which they set fields. The words are those of the tools' documentation.
var gitOpsTools = []struct {
	name, metadata, manager string
}{
	{"Argo CD", "argocd.argoproj.io/", "argocd"},
	{"Flux", "kustomize.toolkit.fluxcd.io/", "kustomize-controller"},
	{"Flux", "helm.toolkit.fluxcd.io/", "helm-controller"},
	{"Config Sync", "configsync.gke.io/", "configsync"},
	{"Fleet", "objectset.rio.cattle.io/", "fleetagent"},
}

// gitOpsWarning says what a tool that keeps the endpoint will do about a change of
// spec.paused; empty: no tool keeps it.
func gitOpsWarning(endpoint *v1alpha1.WebhookEndpoint, paused bool) string {
	for _, tool := range gitOpsTools {
		switch {
		case ownsPaused(endpoint.ManagedFields, tool.manager):
			return fmt.Sprintf("%s sets spec.paused of this endpoint and will put it back: write paused: %t into its manifest in Git, too.", tool.name, paused)
		case isKeptBy(endpoint, tool.metadata, tool.manager):
			return fmt.Sprintf("%s manages this endpoint and may put it back: write paused: %t into its manifest in Git, too.", tool.name, paused)
		}
	}
	return ""
}

func isKeptBy(endpoint *v1alpha1.WebhookEndpoint, metadata, manager string) bool {
	for _, set := range []map[string]string{endpoint.Labels, endpoint.Annotations} {
		for name := range set {
			if strings.HasPrefix(name, metadata) {
				return true
			}
		}
	}
	for i := range endpoint.ManagedFields {
		if strings.HasPrefix(endpoint.ManagedFields[i].Manager, manager) {
			return true
		}
	}
	return false
}

// ownsPaused reports whether the manager set spec.paused.
func ownsPaused(fields []metav1.ManagedFieldsEntry, manager string) bool {
	path := fieldpath.MakePathOrDie("spec", "paused")
	for i := range fields {
		entry := &fields[i]
		if !strings.HasPrefix(entry.Manager, manager) || entry.FieldsV1 == nil {
			continue
		}
		var set fieldpath.Set
		if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err == nil && set.Has(path) {
			return true
		}
	}
	return false
}
