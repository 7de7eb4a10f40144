//go:build vendors

package vendors

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table of "+document)

const (
	document = "../../docs/vendors.md"
	begin    = "<!-- what `make vendors` found; it checks this table, and -update writes it -->\n"
)

// verdict is a cell of the table.
type verdict string

const (
	none verdict = ""
	yes  verdict = "yes"
	no   verdict = "**no**"
)

// result is a row of the table.
type result struct {
	vendor
	accepted, verifies, late, duplicate, forged, kubectl verdict
}

// table is what came out, in Markdown.
func table(results []result) string {
	text := &strings.Builder{}
	text.WriteString("| provider | library | accepted | verifies at the target | late, `Fresh` | again: a duplicate | forged: refused | `kubectl hooks send` |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		name := fmt.Sprintf("[%s](providers/%s.md)", r.Preset, r.Preset)
		if r.Name != r.Preset {
			name = fmt.Sprintf("%s: [%s](providers/%s.md)", r.Name, r.Preset, r.Preset)
		}
		fmt.Fprintf(text, "| %s | %s %s |", name, r.Library, r.Version)
		for _, cell := range []verdict{r.accepted, r.verifies, r.late, r.duplicate, r.forged, r.kubectl} {
			if cell == none {
				cell = "–"
			}
			fmt.Fprintf(text, " %s |", cell)
		}
		text.WriteString("\n")
	}
	return text.String()
}

// checkTable compares the document with what came out; with -update it writes it.
func checkTable(t *testing.T, results []result) {
	t.Helper()
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(content), begin)
	if !found {
		t.Fatalf("%s has no line %s", document, begin)
	}
	// The table ends where its lines do.
	lines := strings.SplitAfter(after, "\n")
	rows := 0
	for rows < len(lines) && strings.HasPrefix(lines[rows], "|") {
		rows++
	}
	written, rest, fresh := strings.Join(lines[:rows], ""), strings.Join(lines[rows:], ""), table(results)
	if written == fresh {
		return
	}
	if !*update {
		t.Errorf("the table of %s is not what came out; make vendors TESTFLAGS=-update writes it (-: written, +: came out):\n%s", document, cmp.Diff(written, fresh))
		return
	}
	if err := os.WriteFile(document, []byte(before+begin+fresh+rest), 0o600); err != nil {
		t.Fatal(err)
	}
}
