// Package cel tells a real API server what people write, and reads what it
// answers: the rules of the CRDs are their only validation, and their sentences
// are the only help that somebody with a typing mistake gets.
package cel

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/test/apiserver"
)

// api is the API server of this package, with the CRDs installed; kubectl speaks
// to it as a person would.
var (
	api     client.Client
	kubectl interface {
		Run(arguments ...string) (stdout, stderr io.Reader, err error)
	}
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	environment, config, err := apiserver.StartWithCRDs("../../config/crd/bases")
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if err != nil {
		return 0, err
	}
	if api, err = client.New(config, client.Options{}); err != nil {
		return 0, err
	}
	administrator, err := environment.AddUser(envtest.User{Name: "administrator", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return 0, err
	}
	if kubectl, err = administrator.Kubectl(); err != nil {
		return 0, err
	}
	code = m.Run()
	if code != 0 || partial() {
		return code, nil
	}
	rules, err := unheard()
	if len(rules) > 0 {
		err = errors.Join(err, fmt.Errorf("nothing was refused by these rules of the CRDs, add cases for them:\n%s", strings.Join(rules, "\n")))
	}
	return 0, err
}

// partial reports whether only some of the tests were asked for.
func partial() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return false
}

// object is a manifest.
type object = unstructured.Unstructured

// manifest reads YAML.
func manifest(t *testing.T, text string) *object {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("the test's own manifest is not YAML: %v\n%s", err, text)
	}
	o := &object{}
	if err := json.Unmarshal(asJSON, &o.Object); err != nil { // keeps integers integers
		t.Fatal(err)
	}
	return o
}

// with returns a copy of a manifest in which a field, "spec.verify[0].name" for
// example, has a value; nil takes the field out.
func with(t *testing.T, o *object, field string, value any) *object {
	t.Helper()
	changed := o.DeepCopy()
	path := strings.FieldsFunc(field, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	var parent any = changed.Object
	for i, step := range path[:len(path)-1] {
		parent = child(t, parent, step, path[i+1])
	}
	name := path[len(path)-1]
	switch parent := parent.(type) {
	case []any:
		parent[element(t, parent, name)] = runtime.DeepCopyJSONValue(value)
	case map[string]any:
		if value == nil {
			delete(parent, name)
		} else {
			parent[name] = runtime.DeepCopyJSONValue(value)
		}
	}
	return changed
}

// child goes one step down; it makes what isn't there yet: a map, or a list with
// one element if the next step is a number.
func child(t *testing.T, parent any, step, next string) any {
	t.Helper()
	if list, ok := parent.([]any); ok {
		return list[element(t, list, step)]
	}
	fields := parent.(map[string]any)
	if fields[step] == nil {
		fields[step] = map[string]any{}
		if index.MatchString("[" + next + "]") {
			fields[step] = []any{map[string]any{}}
		}
	}
	return fields[step]
}

func element(t *testing.T, list []any, step string) int {
	t.Helper()
	i, err := strconv.Atoi(step)
	if err != nil || i >= len(list) {
		t.Fatalf("the list has no element %q", step)
	}
	return i
}

// index of an element in a path.
var index = regexp.MustCompile(`\[[0-9]+\]`)

// create asks for an object as `kubectl create --dry-run=server` does: with
// strict validation, and without keeping it. It returns what would be stored.
func create(t *testing.T, o *object) (*object, error) {
	t.Helper()
	stored := o.DeepCopy()
	err := api.Create(t.Context(), stored, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	hear(o, err)
	return stored, err
}

// update asks for a change of a stored object, and does not make it.
func update(t *testing.T, o *object) error {
	t.Helper()
	err := api.Update(t.Context(), o, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	hear(o, err)
	return err
}

// sentences are what a refusal says, "field: sentence" each. The value that the
// API server repeats before a rule's sentence is left out, and so is its remark
// that other rules wait for a structural mistake to be put right.
func sentences(err error) []string {
	if err == nil {
		return nil
	}
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil || len(status.ErrStatus.Details.Causes) == 0 {
		return []string{err.Error()}
	}
	var said []string
	for _, cause := range status.ErrStatus.Details.Causes {
		if !strings.Contains(cause.Message, "some validation rules were not checked") {
			said = append(said, cause.Field+": "+repeated.ReplaceAllString(cause.Message, ""))
		}
	}
	return said
}

var repeated = regexp.MustCompile(`^Invalid value: (("([^"\\]|\\.)*"|[^ "]+): )?`)

// rule is what the API server makes of the values of one field.
type rule struct {
	// field that the values are written to, "spec.path" for example.
	field string
	// says is the whole answer to a bad value. After "@" it names the field that
	// the API server complains of, if that is another one.
	says string
	good []any
	bad  []any
}

// check writes every value of the rules into a manifest that is fine without.
func check(t *testing.T, base *object, rules []rule) {
	t.Helper()
	if _, err := create(t, base); err != nil {
		t.Fatalf("the manifest that is to be changed is refused itself: %v", err)
	}
	for _, r := range rules {
		for _, value := range r.good {
			t.Run(fmt.Sprintf("%s may be %.60v", r.field, value), func(t *testing.T) {
				if _, err := create(t, with(t, base, r.field, value)); err != nil {
					t.Errorf("refused: %q", sentences(err))
				}
			})
		}
		for _, value := range r.bad {
			t.Run(fmt.Sprintf("%s may not be %.60v", r.field, value), func(t *testing.T) {
				_, err := create(t, with(t, base, r.field, value))
				if want := r.answer(); !slices.Equal(sentences(err), want) {
					t.Errorf("the answer is\n%q, want\n%q", sentences(err), want)
				}
			})
		}
	}
}

func (r rule) answer() []string {
	if says, ok := strings.CutPrefix(r.says, "@"); ok {
		return []string{says}
	}
	return []string{r.field + ": " + r.says}
}

// missing is the answer where a field is required.
const missing = "Required value"

// valueAt reads a field, "spec.path" for example.
func valueAt(t *testing.T, o *object, field string) any {
	t.Helper()
	value, found, err := unstructured.NestedFieldCopy(o.Object, strings.Split(field, ".")...)
	if err != nil || !found {
		t.Fatalf("there is no %s: %v", field, err)
	}
	return value
}
