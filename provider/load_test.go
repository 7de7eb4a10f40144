package provider

import (
	"strings"
	"testing"
	"testing/fstest"
)

func manifest(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestLoadPresets(t *testing.T) {
	all, err := presets(fstest.MapFS{
		"a-b.yaml":  manifest("metadata: {name: a-b}\nspec: {displayName: Bee}"),
		"a.yaml":    manifest("metadata: {name: a}"),
		"README.md": manifest("not a manifest"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Name != "a" || all[1].Name != "a-b" || all[1].Spec.DisplayName != "Bee" {
		t.Errorf("the presets are %+v", all)
	}
}

// TestLoadPresetsIsStrict: every mistake is reported at once.
func TestLoadPresetsIsStrict(t *testing.T) {
	_, err := presets(fstest.MapFS{
		"a.yaml": manifest("metadata: {name: a}\nspec: {verfy: []}"),
		"b.yaml": manifest("metadata: {name: c}"),
	})
	for _, want := range []string{"preset a: ", "verfy", "preset b: ", `metadata.name is "c"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
}
