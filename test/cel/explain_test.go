package cel

import (
	"io"
	"slices"
	"strings"
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

// What kubectl makes of it names every field, and the values where there are few.
func TestExplainNamesEveryField(t *testing.T) {
	for plural := range kinds {
		properties, err := readCRD(plural)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := kubectl.Run("explain", plural+".spec", "--recursive")
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		words := strings.FieldsFunc(string(page), func(r rune) bool { return strings.ContainsRune(" \t\n,", r) })
		for _, p := range properties {
			name := p.path[strings.LastIndex(p.path, ".")+1:]
			if p.path != "" && !strings.HasSuffix(name, "[]") && !slices.Contains(words, name) {
				t.Errorf("kubectl explain %s.spec says nothing of %s", plural, p.path)
			}
			values, _ := p.schema["enum"].(list)
			for _, value := range values[:min(len(values), 4)] { // kubectl shows no more of them, and none of elements
				if !strings.HasSuffix(name, "[]") && !slices.Contains(words, text(value)) {
					t.Errorf("kubectl explain %s.spec does not say that %s may be %v", plural, p.path, value)
				}
			}
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
		text, _ := child["description"].(string)
		ours := !strings.Contains(path, "metadata") && !strings.Contains(path, "conditions[]") && name != "metadata" && name != "apiVersion" && name != "kind"
		if ours && (!strings.HasPrefix(text, name+" ") || !strings.HasSuffix(text, ".") || strings.Contains(text, "+kubebuilder")) {
			t.Errorf("%s is described as %q: write a comment for the field in api/v1alpha1, in sentences, that begins with its name", field, text)
		}
		explained(t, field, child)
	}
}
