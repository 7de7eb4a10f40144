package main

import (
	"path/filepath"
	"regexp"
	"testing"
)

// TestWorkflowsTakeTheGoOfTheModule: a workflow with another Go would release what
// nobody has tested. They can't read go.mod, which names the oldest patch that will do.
func TestWorkflowsTakeTheGoOfTheModule(t *testing.T) {
	want := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(readFile(t, "../../go.mod"))
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || want == nil || len(files) < 3 {
		t.Fatalf("there are the workflows %v, and go.mod has the Go %q, %v", files, want, err)
	}
	for _, file := range files {
		for _, version := range regexp.MustCompile(`go-version: '(.+)'`).FindAllSubmatch(readFile(t, file), -1) {
			if string(version[1]) != string(want[1]) {
				t.Errorf("%s takes Go %s, and go.mod %s", file, version[1], want[1])
			}
		}
		if uses := regexp.MustCompile(`uses: .+`).FindAll(readFile(t, file), -1); len(uses) == 0 {
			t.Errorf("%s uses nothing", file)
		} else {
			for _, use := range uses {
				if !regexp.MustCompile(`@[0-9a-f]{40} # v`).Match(use) {
					t.Errorf("%s: %s can change: name a commit", file, use)
				}
			}
		}
	}
}
