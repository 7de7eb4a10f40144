// Command providerdocs writes docs/providers from the presets: an index, with
// what is left out and what covers what, and a page for each preset. It is part
// of `make generate`; hack/verify.sh checks that the pages are up to date.
//
// With -count-vectors it also counts the requests of a folder (vectors.jsonl and
// vectors_synthetic.jsonl, see test/conformance) for the table of coverage. The
// counts are kept in vectors/vectors.yaml, so that the pages can be written
// without the folder.
//
// What a page says comes from the preset alone. A preset that doesn't say where
// its secret comes from, which events there are and where to read on is an error,
// and so is one that doesn't serve.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sallyport.dev/sallyport/hack/providerdocs/vectors"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "providerdocs:", err)
		os.Exit(1)
	}
}

// run reads the presets and writes the pages. It is meant to be run in the root
// of the repository.
func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("providerdocs", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "docs/providers", "the `folder` of the pages; others in it are removed")
	folder := flags.String("count-vectors", "", "count the requests in this `folder` and keep the counts")
	kept := flags.String("vectors", "hack/providerdocs/vectors/vectors.yaml", "the `file` for the counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	presets, err := load()
	if err != nil {
		return err
	}
	counts, err := vectors.Read()
	if err != nil {
		return err
	}
	if *folder != "" {
		if counts, err = recount(*folder, *kept, presets, stdout); err != nil {
			return err
		}
	}
	pages, err := render(presets, counts)
	if err != nil {
		return err
	}
	return write(*out, pages)
}

// recount counts the vectors of a folder and keeps the counts in a file.
func recount(folder, file string, presets []preset, stdout io.Writer) (vectors.Counts, error) {
	schemes := vectors.Schemes{}
	for i := range presets {
		schemes[presets[i].Name] = presets[i].schemeNames()
	}
	counts, without, err := vectors.Count(folder, schemes)
	if err != nil {
		return nil, err
	}
	for _, provider := range without {
		fmt.Fprintln(stdout, "no preset for the vectors of", provider)
	}
	text, err := counts.Text()
	if err != nil {
		return nil, err
	}
	return counts, os.WriteFile(file, text, 0o644)
}

// write makes the folder have exactly these pages.
func write(folder string, pages map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := pages[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
