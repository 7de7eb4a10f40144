package controllers

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestLoadPresets(t *testing.T) {
	manifest := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	presets, err := LoadPresets(fstest.MapFS{
		"b.yaml":    manifest("metadata: {name: b}\nspec: {displayName: Bee}"),
		"a.yaml":    manifest("metadata: {name: a}"),
		"README.md": manifest("not a manifest"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(presets) != 2 || presets[0].Name != "a" || presets[1].Name != "b" || presets[1].Spec.DisplayName != "Bee" {
		t.Errorf("the presets are %+v", presets)
	}
}

// A misspelt field of a preset would silently weaken it.
func TestLoadPresetsIsStrict(t *testing.T) {
	_, err := LoadPresets(fstest.MapFS{"a.yaml": {Data: []byte("metadata: {name: a}\nspec: {verfy: []}")}})
	if err == nil || !strings.Contains(err.Error(), "preset a.yaml") || !strings.Contains(err.Error(), "verfy") {
		t.Errorf("the error is %v", err)
	}
}
