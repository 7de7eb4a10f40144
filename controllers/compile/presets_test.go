package compile_test

import (
	"io/fs"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/config/providers"
	"sallyport.dev/sallyport/controllers/compile"
)

// preset reads a manifest as strictly as the manager does.
func preset(t *testing.T, file string) *v1alpha1.WebhookProvider {
	t.Helper()
	text, err := fs.ReadFile(providers.Files, file)
	if err != nil {
		t.Fatal(err)
	}
	object := &v1alpha1.WebhookProvider{}
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return object
}

// presetFiles are the names of all manifests.
func presetFiles(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(providers.Files, "*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no presets are embedded: %v", err)
	}
	return files
}

// TestPresets runs the examples of every preset.
func TestPresets(t *testing.T) {
	for _, file := range presetFiles(t) {
		t.Run(file, func(t *testing.T) {
			object := preset(t, file)
			if object.Name+".yaml" != file {
				t.Errorf("the preset is named %q: the file must be, too", object.Name)
			}
			if object.Kind != "WebhookProvider" || object.APIVersion != v1alpha1.SchemeGroupVersion.String() {
				t.Errorf("it is a %s %s", object.APIVersion, object.Kind)
			}
			sender := compile.Provider(object)
			if sender.Problem != "" {
				t.Errorf("%s: %s", sender.Reason, sender.Problem)
			}
		})
	}
}

// TestPresetsProveBothSides: a preset that only ever accepts in its examples
// would also pass without any verification.
func TestPresetsProveBothSides(t *testing.T) {
	for _, file := range presetFiles(t) {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			object := preset(t, file)
			accepted := map[string]bool{}
			rejected := map[v1alpha1.RejectionReason]bool{}
			for _, test := range object.Spec.Tests {
				if test.Expect.Rejected == "" {
					accepted[test.Expect.Scheme] = true
				}
				rejected[test.Expect.Rejected] = true
			}
			for _, scheme := range object.Spec.Verify {
				if !accepted[scheme.Name] {
					t.Errorf("no example is accepted by the scheme %q", scheme.Name)
				}
			}
			for _, reason := range []v1alpha1.RejectionReason{"WrongSignature", "MissingSignature"} {
				if !rejected[reason] {
					t.Errorf("no example is rejected for %s", reason)
				}
			}
		})
	}
}
