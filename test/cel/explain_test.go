package cel

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// `kubectl explain` is the manual: there is no field that it says nothing of.
func TestEveryFieldIsExplained(t *testing.T) {
	var crds unstructured.UnstructuredList
	crds.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinitionList"})
	if err := api.List(t.Context(), &crds); err != nil {
		t.Fatal(err)
	}
	if len(crds.Items) == 0 {
		t.Fatal("no CRD is installed")
	}
	for _, crd := range crds.Items {
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		for _, version := range versions {
			root, _, _ := unstructured.NestedMap(version.(map[string]any), "schema", "openAPIV3Schema")
			explained(t, crd.GetName(), root)
		}
	}
}

// explained walks a schema.
func explained(t *testing.T, path string, node map[string]any) {
	t.Helper()
	if items, ok := node["items"].(map[string]any); ok {
		explained(t, path+"[]", items)
	}
	properties, _ := node["properties"].(map[string]any)
	for name, property := range properties {
		child := property.(map[string]any)
		field := path + "." + name
		if text, _ := child["description"].(string); text == "" && name != "metadata" {
			t.Errorf("%s has no description: write a comment for the field in api/v1alpha1", field)
		}
		explained(t, field, child)
	}
}
