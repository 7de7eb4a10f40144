package main

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"text/template"

	"sallyport.dev/sallyport/hack/providerdocs/vectors"
)

//go:embed templates/*.md
var templates embed.FS

// truthPage is the table of all presets.
const truthPage = "truth-table.md"

// render makes all pages, by file name.
func render(presets []preset, counts vectors.Counts) (map[string][]byte, error) {
	omissions, err := leftOut(presets)
	if err != nil {
		return nil, err
	}
	parsed, err := template.New("").Funcs(template.FuncMap{
		"cell": cell, "code": code, "codes": codes[string], "confidence": confidence, "enumerate": enumerate,
		"prose": prose, "signature": signature, "timestamp": timestamp,
	}).ParseFS(templates, "templates/*.md")
	if err != nil {
		return nil, err
	}
	pages := map[string][]byte{}
	if pages["README.md"], err = execute(parsed, "index.md", map[string]any{
		"Presets": presets, "LeftOut": omissions, "Coverage": coverage(presets, counts),
	}); err != nil {
		return nil, err
	}
	rows := make([]truth, len(presets))
	for i := range presets {
		if rows[i], err = presets[i].Truth(); err != nil {
			return nil, err
		}
	}
	if pages[truthPage], err = execute(parsed, "truth.md", map[string]any{"Columns": truthColumns, "Rows": rows}); err != nil {
		return nil, err
	}
	for i := range presets {
		if pages[presets[i].Name+".md"], err = execute(parsed, "page.md", &presets[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", presets[i].Name, err)
		}
	}
	return pages, nil
}

// execute fills in a template, and drops spaces at the ends of lines and lines
// that are empty after others.
func execute(parsed *template.Template, name string, data any) ([]byte, error) {
	var filled bytes.Buffer
	if err := parsed.ExecuteTemplate(&filled, name, data); err != nil {
		return nil, err
	}
	var (
		out   strings.Builder
		empty = true
	)
	for line := range strings.Lines(filled.String()) {
		line = strings.TrimRight(line, " \t\n")
		if line != "" || !empty {
			out.WriteString(line + "\n")
		}
		empty = line == ""
	}
	return []byte(strings.TrimRight(out.String(), "\n") + "\n"), nil
}
