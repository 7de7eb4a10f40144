package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

var (
	fence   = regexp.MustCompile("^\\s*(```|~~~)")
	span    = regexp.MustCompile("`([^`\n]+)`")
	link    = regexp.MustCompile(`\]\(([^()\s]+)(?:\s+"[^"]*")?\)`)
	named   = regexp.MustCompile(`^\s*\[[^\]]+\]:\s+(\S+)`)
	heading = regexp.MustCompile(`^(#{1,6})\s+(.*?)\s*#*\s*$`)
	anchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// prose is a document without its blocks of code.
func prose(text string) string {
	var kept []string
	inCode := false
	for line := range strings.Lines(text) {
		if fence.MatchString(line) {
			inCode = !inCode
			line = "\n"
		}
		if inCode {
			line = "\n"
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}

// codeSpans are the texts between back quotes.
func codeSpans(text string) (spans []string) {
	for _, match := range span.FindAllStringSubmatch(text, -1) {
		spans = append(spans, match[1])
	}
	return spans
}

// links are where the links of a text lead; those in code are none.
func links(text string) (targets []string) {
	text = span.ReplaceAllString(text, "code")
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		targets = append(targets, match[1])
	}
	for line := range strings.Lines(text) {
		if match := named.FindStringSubmatch(line); match != nil {
			targets = append(targets, match[1])
		}
	}
	return targets
}

// anchors are the names that headings have in links, as GitHub makes them, and those
// that the text gives.
func anchors(text string) (names []string) {
	for line := range strings.Lines(prose(text)) {
		if match := heading.FindStringSubmatch(strings.TrimRight(line, "\n")); match != nil {
			slug := slug(match[2])
			name := slug
			for n := 1; slices.Contains(names, name); n++ {
				name = fmt.Sprintf("%s-%d", slug, n)
			}
			names = append(names, name)
		}
		for _, match := range anchor.FindAllStringSubmatch(line, -1) {
			names = append(names, match[1])
		}
	}
	return names
}

// slug is the anchor of a heading.
func slug(title string) string {
	title = linked.ReplaceAllString(title, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '-':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		default:
			return -1
		}
	}, title)
}

// section is what stands under a heading, down to the next of the same or a higher
// level.
func section(text, title string) string {
	var kept []string
	level := 0
	for line := range strings.Lines(prose(text)) {
		match := heading.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case match != nil && match[2] == title:
			level = len(match[1])
		case match != nil && len(match[1]) <= level:
			level = 0
		case level > 0:
			kept = append(kept, line)
		}
	}
	return strings.TrimSpace(strings.Join(kept, ""))
}

// rows are the cells of the rows of all tables of a text, without their heads.
func rows(text string) (all [][]string) {
	head := true
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			head = true
		case strings.HasPrefix(line, "|-"), strings.HasPrefix(line, "| -"):
			head = false
		case !head:
			all = append(all, strings.Split(strings.Trim(line, "|"), "|"))
		}
	}
	return all
}

// firstCells are the code spans in the first cell of each row.
func firstCells(text string) (spans []string) {
	for _, row := range rows(text) {
		spans = append(spans, codeSpans(row[0])...)
	}
	return spans
}

// TestMistakesAreFound: the tests of the documents see what they are for.
func TestMistakesAreFound(t *testing.T) {
	tree := fstest.MapFS{
		"README.md": {Data: []byte("# Title\n[a](docs/a.md#two-words) [b](docs/a.md#none) [c](gone.md) [d](#title) [e](receiver/x.go#L1) `[f](f.md)`\n" +
			"```\n[g](g.md)\n```\n[h](docs) [i](https://example.com/x) [j][k]\n\n[k]: docs/a.md#two-words-1\n")},
		"docs/a.md":        {Data: []byte("## Two `words`\n## Two words\n")},
		"receiver/x.go":    {Data: []byte("package receiver\n\ntype T struct{}\n\nfunc (T) step() {}\n")},
		"receiver/y.go":    {Data: []byte("package receiver\n")},
		"controllers/y.go": {Data: []byte("package controllers\n")},
	}
	mistakes, n := strayLinks(tree, "README.md")
	want := []string{
		"the link docs/a.md#none leads to no heading", "the link gone.md leads to no file",
		"the link receiver/x.go#L1 has an anchor in what is no document",
	}
	if !slices.Equal(mistakes, want) || n != 7 {
		t.Errorf("of %d links these are wrong: %q; want, of 7: %q", n, mistakes, want)
	}
	table := "| step | file |\n|---|---|\n| one | `x.go` `step`, `T` |\n| two | `x.go` `gone`, `z.go`, `y.go`, `receiver/` |\n"
	var stray []string
	for _, row := range rows(table) {
		stray = append(stray, strayNames(tree, row)...)
	}
	want = []string{"receiver/x.go has no gone", "there is no z.go", "y.go may be any of receiver/y.go, controllers/y.go"}
	if !slices.Equal(stray, want) {
		t.Errorf("of the names these are wrong: %q; want %q", stray, want)
	}
}
