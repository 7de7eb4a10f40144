// Package docs holds the documents to what they speak of: packages, files and
// functions that are there, and links that lead somewhere.
//
//	markdown_test.go  reads documents: links, headings, code
//	docs_test.go      what is asked of them
//	glossary_test.go  which words are not used any more
package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the module, seen from this package.
const root = ".."

// architecture is the document that walks through the files.
const architecture = "docs/architecture.md"

// packageTable is the heading of the table in which every package has a row.
const packageTable = "Packages and arrows"

func TestArchitectureListsEveryPackage(t *testing.T) {
	listed := map[string]int{}
	for _, name := range firstCells(section(read(t, architecture), packageTable)) {
		listed[name]++
	}
	if len(listed) == 0 {
		t.Fatalf("%s has no table of packages under the heading %q", architecture, packageTable)
	}
	present := packages(t)
	for _, name := range slices.Sorted(maps.Keys(present)) {
		if listed[name] != 1 {
			t.Errorf("%s: the package %s has %d rows in the table of packages, want 1", architecture, name, listed[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if !present[name] {
			t.Errorf("%s: the table of packages has %s, which is no package of this module", architecture, name)
		}
	}
}

func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text := read(t, architecture)
	walks := 0
	for _, name := range []string{"One manifest, through the files", "One request, through the files"} {
		for _, row := range rows(section(text, name)) {
			for _, mistake := range strayNames(os.DirFS(root), row) {
				t.Errorf("%s: %s", architecture, mistake)
			}
			walks++
		}
	}
	if walks < 20 {
		t.Errorf("%s: the walks have %d rows: were they moved?", architecture, walks)
	}
}

// TestFilesThatDocumentsName: documents beside architecture.md name files, too.
func TestFilesThatDocumentsName(t *testing.T) {
	for _, name := range documents(t) {
		if strings.HasPrefix(name, "docs/providers/") || name == "CHANGELOG.md" { // one is generated, the other speaks of what was
			continue
		}
		for _, span := range codeSpans(prose(read(t, name))) {
			if !isFile(span) || strings.ContainsAny(span, "<*") {
				continue
			}
			if _, err := resolve(os.DirFS(root), span); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestPackageCommentsNameWhatIsThere: most package comments are a map of the files.
func TestPackageCommentsNameWhatIsThere(t *testing.T) {
	for folder := range packages(t) {
		text, err := os.ReadFile(filepath.Join(root, folder, "doc.go"))
		if err != nil {
			continue // a package that explains itself elsewhere
		}
		for _, name := range namedFile.FindAllString(string(text), -1) {
			if found, err := filepath.Glob(filepath.Join(root, folder, name)); err != nil || len(found) == 0 {
				t.Errorf("%s/doc.go: there is no %s", folder, name)
			}
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	tree := os.DirFS(root)
	links := 0
	for _, name := range documents(t) {
		mistakes, n := strayLinks(tree, name)
		for _, mistake := range mistakes {
			t.Errorf("%s: %s", name, mistake)
		}
		links += n
	}
	if links < 200 {
		t.Errorf("only %d links were found", links)
	}
}

func TestEveryDecisionIsInTheIndex(t *testing.T) {
	const folder, most = "docs/decisions", 25
	index := read(t, folder+"/README.md")
	files, err := filepath.Glob(filepath.Join(root, folder, "0*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions in %s: %v", folder, err)
	}
	for i, file := range files {
		name := filepath.Base(file)
		if number := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(name, number) {
			t.Errorf("%s: want a name that begins with %s", name, number)
		}
		if strings.Count(index, "]("+name+")") != 1 {
			t.Errorf("%s/README.md links %s %d times, want once", folder, name, strings.Count(index, "]("+name+")"))
		}
		text := read(t, folder+"/"+name)
		for _, heading := range []string{"Context", "Decision", "Consequences"} {
			if section(text, heading) == "" {
				t.Errorf("%s has no section %q", name, heading)
			}
		}
		if lines := strings.Count(text, "\n"); lines > most {
			t.Errorf("%s has %d lines, want at most %d", name, lines, most)
		}
	}
}

// TestReadmeIsShort: whoever adds to it takes something away, or links it.
func TestReadmeIsShort(t *testing.T) {
	const most = 900
	if words := len(strings.Fields(read(t, "README.md"))); words > most {
		t.Errorf("README.md has %d words, want at most %d", words, most)
	}
}

// TestReadmeCountsThePresets: the number is the first thing that people compare.
func TestReadmeCountsThePresets(t *testing.T) {
	presets, err := filepath.Glob(filepath.Join(root, "config/providers/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("**%d presets**", len(presets)); !strings.Contains(read(t, "README.md"), want) {
		t.Errorf("README.md doesn't say %s", want)
	}
}

// TestCommandsThatDocumentsName: "kubectl hooks x" is a command of the plugin.
func TestCommandsThatDocumentsName(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "cmd/kubectl-hooks/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	commands := []string{"help", "completion"} // cobra's own
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range commandUse.FindAllStringSubmatch(string(source), -1) {
			commands = append(commands, match[1])
		}
	}
	for _, name := range documents(t) {
		for _, match := range commandCall.FindAllStringSubmatch(read(t, name), -1) {
			if !slices.Contains(commands, match[1]) {
				t.Errorf("%s: there is no command kubectl hooks %s", name, match[1])
			}
		}
	}
}

// packages are the folders of this module that hold Go files, relative to it.
func packages(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if base := path.Base(name); name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(root, name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // another module
			}
		case strings.HasSuffix(name, ".go"):
			found[path.Dir(name)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// documents are all documents of the repository that people wrote, and those that
// were generated for them.
func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	err = fs.WalkDir(os.DirFS(root), "docs", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// folders are those that documents leave out before a file.
var folders = []string{"", "receiver", "controllers"}

// resolve is the file or folder that a document means by name: the one that is
// there from the module's root on, or in one of folders. If two are there, readers
// can't know which.
func resolve(tree fs.FS, name string) (string, error) {
	var found []string
	for _, folder := range folders {
		file := path.Join(folder, strings.TrimSuffix(name, "/"))
		if info, err := fs.Stat(tree, file); err == nil && info.IsDir() == strings.HasSuffix(name, "/") {
			found = append(found, file)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("there is no %s", name)
	default:
		return "", fmt.Errorf("%s may be any of %s", name, strings.Join(found, ", "))
	}
}

var (
	fileName = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)*\.(go|lua|mjs)$`)
	funcName = regexp.MustCompile(`^[A-Za-z]\w*$`)

	namedFile   = regexp.MustCompile(`\b[a-z][\w*]*\.(?:go|mjs)\b`)
	commandUse  = regexp.MustCompile(`\bUse:\s+"([a-z-]+)`)
	commandCall = regexp.MustCompile(`(?m)(?:^|\x60)kubectl hooks ([a-z]+)`)
)

// isFile reports whether a code span is the name of a source file.
func isFile(span string) bool { return fileName.MatchString(span) }

// strayNames checks a row of a walk, each cell of which may name files, folders (with
// a slash at the end), and functions behind the file that they are in.
func strayNames(tree fs.FS, row []string) (mistakes []string) {
	for _, cell := range row[1:] {
		file := ""
		for _, span := range codeSpans(cell) {
			switch {
			case isFile(span), strings.HasSuffix(span, "/"):
				resolved, err := resolve(tree, span)
				if err != nil {
					mistakes = append(mistakes, err.Error())
				}
				file = resolved
			case funcName.MatchString(span) && file != "":
				if err := declares(tree, file, span); err != nil {
					mistakes = append(mistakes, err.Error())
				}
			}
		}
	}
	return mistakes
}

// declares says why a file declares no such function, method or type; nil: it does.
func declares(tree fs.FS, file, name string) error {
	source, err := fs.ReadFile(tree, file)
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, declared := range parsed.Decls {
		switch declared := declared.(type) {
		case *ast.FuncDecl:
			if declared.Name.Name == name {
				return nil
			}
		case *ast.GenDecl:
			for _, spec := range declared.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok && spec.Name.Name == name {
					return nil
				}
			}
		}
	}
	return fmt.Errorf("%s has no %s", file, name)
}

// strayLinks are the links of a document that lead nowhere, and how many it has in
// all that lead into this repository.
func strayLinks(tree fs.FS, name string) (mistakes []string, n int) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return []string{err.Error()}, 0
	}
	for _, link := range links(prose(string(text))) {
		if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
			continue
		}
		n++
		target, anchor, anchored := strings.Cut(link, "#")
		file := name
		if target != "" {
			file = path.Join(path.Dir(name), target)
		}
		info, err := fs.Stat(tree, file)
		switch {
		case err != nil:
			mistakes = append(mistakes, fmt.Sprintf("the link %s leads to no file", link))
		case anchored && (info.IsDir() || !strings.HasSuffix(file, ".md")):
			mistakes = append(mistakes, fmt.Sprintf("the link %s has an anchor in what is no document", link))
		case anchored:
			text, err := fs.ReadFile(tree, file)
			if err != nil || !slices.Contains(anchors(string(text)), anchor) {
				mistakes = append(mistakes, fmt.Sprintf("the link %s leads to no heading", link))
			}
		}
	}
	return mistakes, n
}
