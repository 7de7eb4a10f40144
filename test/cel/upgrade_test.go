package cel

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What was stored when the CRD had fewer fields, and fewer rules, is read, updated and
// gets its status as before. Nothing has to be converted: there is one version.
func TestObjectsOutliveAnOlderCRD(t *testing.T) {
	current := installedCRD(t)
	if stored, _, _ := unstructured.NestedStringSlice(current.Object, "status", "storedVersions"); !slices.Equal(stored, []string{"v1alpha1"}) {
		t.Errorf("objects are stored as %v, want v1alpha1 alone", stored)
	}
	older := current.DeepCopy()
	edit := schemaOf(t, older)
	delete(at(t, edit, "spec"), "className")
	delete(at(t, edit, "status"), "traffic")
	path := at(t, edit, "spec")["path"].(fields)
	delete(path, "maxLength")
	delete(path, "x-kubernetes-validations")

	install(t, older, "unknown field")
	defer install(t, current, "")
	plain, odd := manifest(t, minimalEndpoint), with(t, manifest(t, minimalEndpoint), "spec.path", "/no longer allowed")
	odd.SetName("odd")
	for _, o := range []*object{plain, odd} {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(sentences(err))
		}
		defer func() {
			if err := api.Delete(context.Background(), o); err != nil {
				t.Error(err)
			}
		}()
	}
	install(t, current, "")

	for _, o := range []*object{plain, odd} {
		found := manifest(t, minimalEndpoint)
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(o), found); err != nil {
			t.Errorf("%s can't be read: %v", o.GetName(), err)
		}
		if err := update(t, with(t, found, "spec.className", "internal")); err != nil {
			t.Errorf("%s can't get a field that is new: %q", o.GetName(), sentences(err))
		}
		if err := update(t, with(t, found, "metadata.labels", fields{"team": "billing"})); err != nil {
			t.Errorf("%s can't be edited: %q", o.GetName(), sentences(err))
		}
		status := client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":1,"traffic":{"pending":1,"deadLettered":0}}}`))
		if err := api.Status().Patch(t.Context(), found, status); err != nil {
			t.Errorf("%s can't get a status that is new: %q", o.GetName(), sentences(err))
		}
		if pending, _ := present(found.Object, "status.traffic.pending"); pending != int64(1) {
			t.Errorf("the status of %s has %v pending, want 1", o.GetName(), pending)
		}
	}
	// What is not allowed any more may stay, and must not be written anew.
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(odd), odd); err != nil {
		t.Fatal(err)
	}
	err := update(t, with(t, odd, "spec.path", "/not allowed either"))
	if want := []string{"spec.path: " + pathRule}; !slices.Equal(sentences(err), want) {
		t.Errorf("the answer is %q, want %q", sentences(err), want)
	}
}

func installedCRD(t *testing.T) *object {
	t.Helper()
	crd := &object{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	if err := api.Get(t.Context(), types.NamespacedName{Name: "webhookendpoints.hooks.sallyport.dev"}, crd); err != nil {
		t.Fatal(err)
	}
	return crd
}

// schemaOf returns the schema in a CRD, to be edited.
func schemaOf(t *testing.T, crd *object) fields {
	t.Helper()
	versions, ok := crd.Object["spec"].(fields)["versions"].(list)
	if !ok || len(versions) != 1 {
		t.Fatalf("the CRD has %d versions, want one", len(versions))
	}
	return versions[0].(fields)["schema"].(fields)["openAPIV3Schema"].(fields)
}

// at returns the fields of a struct in a schema.
func at(t *testing.T, schema fields, name string) fields {
	t.Helper()
	found, ok := schema["properties"].(fields)[name].(fields)["properties"].(fields)
	if !ok {
		t.Fatalf("the schema has no struct %s", name)
	}
	return found
}

// install puts a CRD in the place of the one that is installed, and waits until the
// API server goes by it: until what it says of a className has a text in it, or, if
// that is empty, until it takes one.
func install(t *testing.T, crd *object, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	now := installedCRD(t)
	now.Object["spec"] = crd.DeepCopy().Object["spec"]
	if err := api.Update(ctx, now); err != nil {
		t.Fatal(err)
	}
	probe := with(t, manifest(t, minimalEndpoint), "spec.className", "internal")
	probe.SetName("probe")
	for ctx.Err() == nil {
		_, err := create(t, probe)
		if (err == nil) == (answer == "") && strings.Contains(strings.Join(sentences(err), " "), answer) {
			return
		}
	}
	t.Fatal("the API server does not go by the CRD that was installed")
}
