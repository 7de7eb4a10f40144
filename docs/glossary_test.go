package docs

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// glossary says which words are for what, and which are no longer used.
const glossary = "docs/glossary.md"

// TestRetiredWordsStayAway: a word that the glossary replaced is in no name, no
// comment and no document.
func TestRetiredWordsStayAway(t *testing.T) {
	retired := retiredWords(read(t, glossary))
	if len(retired) < 5 {
		t.Fatalf("%s retires %q only: were its tables changed?", glossary, retired)
	}
	files := 0
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || name == "bin" || path.Base(name) == "node_modules" || path.Base(name) == "testdata"):
			return fs.SkipDir
		case entry.IsDir(), name == glossary, name == "CHANGELOG.md", !slices.Contains([]string{".go", ".lua", ".md"}, path.Ext(name)):
			return nil
		}
		files++
		for n, line := range strings.Split(read(t, name), "\n") {
			for _, word := range wordPart.FindAllString(line, -1) {
				if slices.Contains(retired, strings.ToLower(word)) {
					t.Errorf("%s:%d: %q: see %s for the word to use", name, n+1, word, glossary)
				}
			}
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files: %v", files, err)
	}
}

// retiredWords are the code spans in the last column of the glossary's tables.
func retiredWords(text string) (words []string) {
	for _, row := range rows(text) {
		if len(row) > 2 && strings.HasPrefix(strings.TrimSpace(row[0]), "**") {
			words = append(words, codeSpans(row[len(row)-1])...)
		}
	}
	return words
}

// wordPart takes names apart: leaseUntil is lease and Until.
var wordPart = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+`)
