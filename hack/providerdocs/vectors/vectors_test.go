package vectors_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/hack/providerdocs/vectors"
)

const recorded = `
{"provider":"github","kind":"delivery","origin":"published","valid":true}
{"provider":"github","kind":"delivery","origin":"derived","valid":false}
{"provider":"github","variant":"sha1-legacy","kind":"delivery","origin":"published","valid":true}
{"provider":"svix","kind":"delivery","origin":"published","valid":true}
{"provider":"slack","kind":"handshake","origin":"published","valid":true}
{"provider":"carrier-pigeon","kind":"delivery","origin":"published","valid":true}
`

const made = `
{"provider":"gitlab","variant":"secret-token","kind":"delivery","origin":"synthetic","valid":true}
{"provider":"slack","variant":"default","kind":"delivery","origin":"synthetic","valid":true}
`

var schemes = vectors.Schemes{
	"github": {"sha256"}, "github-sha1-legacy": {"sha1-legacy"}, "svix": {"branded", "unbranded"},
	"slack": {"v0"}, "gitlab": {"signing-token", "secret-token"},
}

func TestCount(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"vectors.jsonl": recorded, "vectors_synthetic.jsonl": made} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, without, err := vectors.Count(folder, schemes)
	if err != nil {
		t.Fatal(err)
	}
	type numbers = map[string]vectors.Number
	want := vectors.Counts{
		"github":             {Schemes: numbers{"sha256": {Published: 1, Derived: 1}}},
		"github-sha1-legacy": {Schemes: numbers{"sha1-legacy": {Published: 1}}},
		"svix":               {Schemes: numbers{vectors.Any: {Published: 1}}},
		"slack":              {Schemes: numbers{"v0": {Synthetic: 1}}, Handshakes: vectors.Number{Published: 1}},
		"gitlab":             {Schemes: numbers{"secret-token": {Synthetic: 1}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"carrier-pigeon"}, without); diff != "" {
		t.Errorf("without a preset: %s", diff)
	}
}

func TestCountRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, line := range []string{"{", `{"provider":"github","kind":"delivery","origin":"hearsay"}`} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "vectors.jsonl"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := vectors.Count(folder, schemes); err == nil {
			t.Errorf("%s is counted", line)
		}
	}
}

// TestRead: what is kept can be read, and is written as it was read.
func TestRead(t *testing.T) {
	counts, err := vectors.Read()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("vectors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := counts.Text()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), string(text)); diff != "" {
		t.Errorf("vectors.yaml (-kept +written):\n%s", diff)
	}
}
