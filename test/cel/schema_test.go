package cel

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// crds are the folder of the CRDs.
const crds = "../../config/crd/bases"

// kinds are the CRDs by their plural, each with a manifest that says everything.
var kinds = map[string]string{
	"webhookendpoints": fullEndpoint,
	"webhookproviders": fullProvider,
	"webhookreplays":   fullReplay,
}

// property is a field that a person writes, or an element of a list: "spec.routes[].name".
type property struct {
	path     string
	schema   fields
	required bool
	// like is the first property of the same kind, if this is not the first: what is
	// true of its fields is true here.
	like string
}

// readCRD reads the properties of a CRD: all of spec, and the rules of the whole.
func readCRD(plural string) ([]property, error) {
	text, err := os.ReadFile(filepath.Join(crds, "hooks.sallyport.dev_"+plural+".yaml"))
	if err != nil {
		return nil, err
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var crd fields
	if err := json.Unmarshal(asJSON, &crd); err != nil { // keeps integers integers
		return nil, err
	}
	versions, _, err := unstructured.NestedSlice(crd, "spec", "versions")
	if err != nil || len(versions) != 1 {
		return nil, fmt.Errorf("the CRD %s has %d versions, want one: %w", plural, len(versions), err)
	}
	root, _, err := unstructured.NestedMap(versions[0].(fields), "schema", "openAPIV3Schema")
	if err != nil {
		return nil, err
	}
	// Only the manager writes status, and the API server knows the rest by itself.
	properties := root["properties"].(fields)
	maps.DeleteFunc(properties, func(name string, _ any) bool { return name != "spec" })
	w := walk{known: map[string]string{}}
	w.visit(property{schema: root})
	return w.found, nil
}

type walk struct {
	found []property
	known map[string]string // where a struct was first seen, by its schema
}

func (w *walk) visit(p property) {
	children, _ := p.schema["properties"].(fields)
	if len(children) > 0 {
		shape, _ := json.Marshal([]any{children, p.schema["required"], p.schema["x-kubernetes-validations"]}) // it was JSON before
		if first, ok := w.known[string(shape)]; ok {
			p.like = first
		} else {
			w.known[string(shape)] = p.path
		}
	}
	w.found = append(w.found, p)
	if p.like != "" {
		return
	}
	required, _ := p.schema["required"].(list)
	for _, name := range slices.Sorted(maps.Keys(children)) {
		path := strings.TrimPrefix(p.path+"."+name, ".")
		w.visit(property{path: path, schema: children[name].(fields), required: slices.Contains(required, any(name))})
	}
	if items, ok := p.schema["items"].(fields); ok {
		w.visit(property{path: p.path + "[]", schema: items})
	}
}

// words say how a property is bounded, apart from its rules.
func (p property) words() string {
	var words []string
	say := func(format string, arguments ...any) { words = append(words, fmt.Sprintf(format, arguments...)) }
	if p.required {
		say("required")
	}
	for name, bounds := range map[string][2]string{"length": {"minLength", "maxLength"}, "items": {"minItems", "maxItems"}, "value": {"minimum", "maximum"}} {
		least, most := p.schema[bounds[0]], p.schema[bounds[1]]
		if least != nil || most != nil {
			say("%s %s..%s", name, text(least), text(most))
		}
	}
	if values, ok := p.schema["enum"].(list); ok {
		say("one of %s", texts(values, " "))
	}
	if format, ok := p.format(); ok {
		say("%s", format)
	}
	switch p.schema["x-kubernetes-list-type"] {
	case "set":
		say("unique")
	case "map":
		say("unique by %s", texts(p.schema["x-kubernetes-list-map-keys"].(list), " "))
	}
	if p.schema["pattern"] != nil {
		say("pattern")
	}
	if value, ok := p.schema["default"]; ok {
		say("default %v", value)
	}
	if p.like != "" {
		say("as %s", p.like)
	}
	return strings.Join(words, ", ")
}

// format is what a text is read as. Those of numbers say no more than their type.
func (p property) format() (string, bool) {
	format, ok := p.schema["format"].(string)
	return format, ok && p.schema["type"] == "string"
}

func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

func texts(values list, separator string) string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = text(value)
	}
	return strings.Join(all, separator)
}

// Whoever adds a field or moves a bound says so in testdata as well, which is what
// the other tests go by.
func TestBoundsAreThoseOfTheList(t *testing.T) {
	for plural := range kinds {
		properties, err := readCRD(plural)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range properties {
			if words := p.words(); words != "" {
				got = append(got, p.path+": "+words)
			}
		}
		file := filepath.Join("testdata", plural+".txt")
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
			t.Errorf("%s (-) is not what the CRD says (+):\n%s", file, diff)
		}
	}
}

// Every bound of every field is where the list says: the API server takes what is
// just within, and says what is wrong with what is just beyond.
func TestEveryBoundHolds(t *testing.T) {
	for plural, full := range kinds {
		properties, err := readCRD(plural)
		if err != nil {
			t.Fatal(err)
		}
		base, tried := manifest(t, full), 0
		for _, p := range properties {
			for _, try := range p.tries() {
				tried++
				_, err := create(t, with(t, base, p.place(), try.value))
				said := sentences(err)
				if try.refused && !slices.Contains(said, try.says) {
					t.Errorf("%s may be %.60v: the answer is %q, want %q", p.path, try.value, said, try.says)
				}
				if !try.refused && slices.Contains(said, try.says) {
					t.Errorf("%s may not be %.60v: the answer is %q", p.path, try.value, said)
				}
			}
		}
		t.Logf("%s: %d values", plural, tried)
	}
}

// place is where a value for a property goes in a manifest.
func (p property) place() string { return strings.ReplaceAll(p.path, "[]", "[0]") }

// try is a value for a property, and what the API server says if it is refused.
type try struct {
	value   any
	says    string
	refused bool
}

// tries are the values at the bounds of a property.
func (p property) tries() (all []try) {
	place := p.place()
	within := func(value any, says string) { all = append(all, try{value, place + ": " + says, false}) }
	beyond := func(value any, says string) { all = append(all, try{value, place + ": " + says, true}) }
	if p.required {
		beyond(nil, missing)
	}
	for _, bound := range []struct {
		keyword string
		step    int64 // beyond it
		value   func(int64) any
		says    string
	}{
		{"minLength", -1, letters, place + " in body should be at least %[1]d chars long"},
		{"maxLength", 1, letters, "Too long: may not be more than %[1]d bytes"},
		{"minItems", -1, p.elements, place + " in body should have at least %[1]d items"},
		{"maxItems", 1, p.elements, "Too many: %[2]d: must have at most %[1]d items"},
		{"minimum", -1, number, place + " in body should be greater than or equal to %[1]d"},
		{"maximum", 1, number, place + " in body should be less than or equal to %[1]d"},
	} {
		n, ok := p.schema[bound.keyword].(int64)
		if !ok {
			continue
		}
		says := fmt.Sprintf(strings.ReplaceAll(bound.says, "%[2]d", fmt.Sprint(n+bound.step)), n)
		within(bound.value(n), says)
		beyond(bound.value(n+bound.step), says)
	}
	if values, ok := p.schema["enum"].(list); ok {
		other := p.unsupported()
		supported := `: supported values: "` + texts(values, `", "`) + `"`
		for _, value := range values {
			within(value, "Unsupported value: "+quoted(value)+supported)
		}
		beyond(other, "Unsupported value: "+quoted(other)+supported)
	}
	if format, ok := p.format(); ok {
		beyond("~", place+" in body must be of type "+format+`: "~"`)
	}
	if pattern, ok := p.schema["pattern"].(string); ok {
		beyond("~", place+" in body should match '"+pattern+"'")
	}
	if says, ok := p.duplicate(); ok {
		all = append(all, try{p.elements(2), place + "[1]: Duplicate value: " + says, true})
	}
	return all
}

func letters(n int64) any { return strings.Repeat("a", int(n)) }

func number(n int64) any { return n }

// elements are n equal elements of a list.
func (p property) elements(n int64) any {
	return slices.Repeat(list{p.element()}, int(n))
}

func (p property) element() any {
	if key, ok := p.key(); ok {
		return fields{key: "a"}
	}
	if items := p.schema["items"].(fields); items["type"] == "object" {
		return fields{}
	}
	return "a"
}

func (p property) key() (string, bool) {
	keys, ok := p.schema["x-kubernetes-list-map-keys"].(list)
	if !ok {
		return "", false
	}
	return keys[0].(string), true
}

// duplicate is how the API server names what is in a list twice.
func (p property) duplicate() (string, bool) {
	key, ok := p.key()
	if ok {
		return `{"` + key + `":"a"}`, true
	}
	return `"a"`, p.schema["x-kubernetes-list-type"] == "set"
}

func (p property) unsupported() any {
	if p.schema["type"] == "integer" {
		return int64(1)
	}
	return "other"
}

func quoted(value any) string {
	if word, ok := value.(string); ok {
		return `"` + word + `"`
	}
	return fmt.Sprint(value)
}

// Every default is what an object gets that does not say.
func TestEveryDefaultIsGiven(t *testing.T) {
	for plural, full := range kinds {
		properties, err := readCRD(plural)
		if err != nil {
			t.Fatal(err)
		}
		base, spellings := manifest(t, full), spellings(properties)
		for _, p := range properties {
			want, ok := p.schema["default"]
			if !ok {
				continue
			}
			if got := defaultOf(t, base, spellings(p.path)); got != want {
				t.Errorf("%s is %v by default, want %v", p.path, got, want)
			}
		}
	}
}

// defaultOf takes a field out of a manifest where that is allowed, and returns what
// would be stored.
func defaultOf(t *testing.T, base *object, paths []string) any {
	t.Helper()
	var refused []string
	for _, path := range paths {
		for _, place := range places(base.Object, path) {
			stored, err := create(t, with(t, base, place, nil))
			if err != nil {
				refused = append(refused, sentences(err)...)
				continue
			}
			value, _ := present(stored.Object, path)
			return value
		}
	}
	return fmt.Sprint("refused: ", refused)
}

// The manifests that say everything do.
func TestFullManifestsHaveEveryField(t *testing.T) {
	for plural, full := range kinds {
		properties, err := readCRD(plural)
		if err != nil {
			t.Fatal(err)
		}
		base, spellings := manifest(t, full).Object, spellings(properties)
		for _, p := range properties {
			if !slices.ContainsFunc(spellings(p.path), func(path string) bool { return len(places(base, path)) > 0 }) {
				t.Errorf("the full manifest of %s has no %s", plural, p.path)
			}
		}
	}
}

// present is the first value that a manifest has at a path, "spec.verify[].name".
func present(value any, path string) (any, bool) {
	found := places(value, path)
	if len(found) == 0 {
		return nil, false
	}
	for step := range strings.FieldsFuncSeq(found[0], func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		switch at := value.(type) {
		case fields:
			value = at[step]
		case list:
			i, _ := strconv.Atoi(step) // places wrote it
			value = at[i]
		}
	}
	return value, true
}

// places are where a manifest has a path: "spec.verify[2].name".
func places(value any, path string) []string {
	if path == "" {
		return []string{""}
	}
	step, rest, _ := strings.Cut(path, ".")
	name, isList := strings.CutSuffix(step, "[]")
	object, _ := value.(fields)
	child, ok := object[name]
	if !ok {
		return nil
	}
	join := func(step string, value any) (all []string) {
		for _, place := range places(value, rest) {
			all = append(all, strings.TrimSuffix(step+"."+place, "."))
		}
		return all
	}
	if !isList {
		return join(name, child)
	}
	var all []string
	elements, _ := child.(list)
	for i, element := range elements {
		all = append(all, join(fmt.Sprintf("%s[%d]", name, i), element)...)
	}
	return all
}

// spellings returns a function that lists the paths at which the same struct has
// the same field: "spec.limits.rateLimit.burst" is "spec.delivery.rateLimit.burst".
func spellings(properties []property) func(path string) []string {
	return func(path string) []string {
		all := []string{path}
		for i := 0; i < len(all); i++ {
			for _, p := range properties {
				rest, ok := strings.CutPrefix(all[i], p.like+".")
				if ok && p.like != "" {
					all = append(all, p.path+"."+rest)
				}
				if all[i] == p.like && p.like != "" {
					all = append(all, p.path)
				}
			}
		}
		return all
	}
}

// heard are the refusals of this run, by kind: "spec.path: sentence".
var heard = map[string]map[string]bool{}

// hear remembers what the API server has said about an object.
func hear(o *object, err error) {
	kind := strings.ToLower(o.GetKind()) + "s"
	if heard[kind] == nil {
		heard[kind] = map[string]bool{}
	}
	for _, sentence := range sentences(err) {
		path, says, _ := strings.Cut(sentence, ": ")
		heard[kind][index.ReplaceAllString(path, "[]")+": "+says] = true
	}
}

// unheard lists the rules that nothing was refused by: each needs a case in the
// tables.
func unheard() (rules []string, err error) {
	for plural := range kinds {
		properties, err := readCRD(plural)
		if err != nil {
			return nil, err
		}
		spellings := spellings(properties)
		for _, p := range properties {
			validations, _ := p.schema["x-kubernetes-validations"].(list)
			if p.like != "" {
				continue
			}
			for _, validation := range validations {
				if !wasHeard(heard[plural], spellings(p.path), validation.(fields)) {
					rules = append(rules, fmt.Sprintf("%s: %s: %v", plural, p.path, validation.(fields)["rule"]))
				}
			}
		}
	}
	return rules, nil
}

// wasHeard reports whether a rule was broken at one of several paths. What it says
// may begin with a fixed text and go on with values.
func wasHeard(heard map[string]bool, paths []string, validation fields) bool {
	says, fixed := validation["message"].(string)
	if !fixed {
		says = strings.Split(validation["messageExpression"].(string), "'")[1]
	}
	for _, path := range paths {
		if path == "" {
			path = "<nil>"
		}
		want := path + ": " + says
		if fixed && heard[want] {
			return true
		}
		for sentence := range heard {
			if !fixed && strings.HasPrefix(sentence, want) {
				return true
			}
		}
	}
	return false
}
