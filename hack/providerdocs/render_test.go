package main

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/hack/providerdocs/vectors"
)

// pagesOfAll are the pages of the built-in presets.
func pagesOfAll(t *testing.T) ([]preset, map[string][]byte) {
	t.Helper()
	presets, err := load()
	if err != nil {
		t.Fatal(err)
	}
	counts, err := vectors.Read()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := render(presets, counts)
	if err != nil {
		t.Fatal(err)
	}
	return presets, pages
}

// TestPages: a page for each preset and an index that links to it, the same each
// time, without spaces at the ends of lines.
func TestPages(t *testing.T) {
	presets, pages := pagesOfAll(t)
	if _, again := pagesOfAll(t); !maps.EqualFunc(pages, again, bytes.Equal) {
		t.Error("the pages are not the same the second time")
	}
	if len(pages) != len(presets)+2 {
		t.Errorf("%d pages for %d presets, an index and a table", len(pages), len(presets))
	}
	rows := strings.Count(string(pages[truthPage]), "\n| [")
	if rows != len(presets) || strings.Contains(string(pages[truthPage]), "|  |") {
		t.Errorf("the table has %d rows for %d presets, or an empty cell", rows, len(presets))
	}
	index := string(pages["README.md"])
	for _, p := range presets {
		if !strings.Contains(index, "("+p.Name+".md)") {
			t.Errorf("the index has no link to %s", p.Name)
		}
	}
	trailing := regexp.MustCompile(`[ \t]\n|\n\n\n|\r`)
	for name, text := range pages {
		if at := trailing.FindIndex(text); at != nil {
			t.Errorf("%s: a space at the end of a line, or two empty lines, after %q", name, lastLine(text[:at[0]]))
		}
		if !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("%s: no newline at the end", name)
		}
	}
}

func lastLine(text []byte) []byte { return text[bytes.LastIndexByte(text, '\n')+1:] }

// TestTables: every row of a table has as many cells as its head.
func TestTables(t *testing.T) {
	_, pages := pagesOfAll(t)
	bar := regexp.MustCompile(`(^|[^\\])\|`)
	for name, text := range pages {
		columns := 0
		for line := range strings.Lines(string(text)) {
			bars := 0
			if strings.HasPrefix(line, "|") {
				bars = len(bar.FindAllString(line, -1))
			}
			if bars > 0 && columns > 0 && bars != columns {
				t.Errorf("%s: %d columns, not %d, in %s", name, bars-1, columns-1, line)
			}
			columns = bars
		}
	}
}

// TestManifests: what a page says to apply is an endpoint with all that its
// provider asks for.
func TestManifests(t *testing.T) {
	presets, pages := pagesOfAll(t)
	manifest := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, p := range presets {
		found := manifest.FindSubmatch(pages[p.Name+".md"])
		if found == nil {
			t.Errorf("%s: no manifest", p.Name)
			continue
		}
		var endpoint v1alpha1.WebhookEndpoint
		if err := yaml.UnmarshalStrict(found[1], &endpoint); err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		var given, wanted []string
		for _, parameter := range endpoint.Spec.Parameters {
			given = append(given, parameter.Name)
		}
		for _, parameter := range p.Spec.Parameters {
			if parameter.Required && !parameter.Sensitive {
				wanted = append(wanted, parameter.Name)
			}
		}
		if diff := cmp.Diff(wanted, given); diff != "" || endpoint.Spec.Provider != p.Name {
			t.Errorf("%s: the endpoint is of %s, its parameters: %s", p.Name, endpoint.Spec.Provider, diff)
		}
	}
}

// TestProse: what a preset says is text, never markup.
func TestProse(t *testing.T) {
	p, err := loadText(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := render([]preset{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`Ask \<the keeper>.`, `stock.low, stock.\*.`} {
		if !bytes.Contains(pages["warehouse.md"], []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := slices.Sorted(maps.Keys(pages)); !slices.Equal(got, []string{"README.md", "truth-table.md", "warehouse.md"}) {
		t.Errorf("pages: %v", got)
	}
}
