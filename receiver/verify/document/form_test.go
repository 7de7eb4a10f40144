package document

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	form := `a=1&b=%31+2&%61=3&c;=1&c=;&d=%&d%=1&d&=5&e=x=y&f`
	want := map[string]Field{"a": {"1", 2}, "b": {"1 2", 1}, "c": {}, "d": {"", 1}, "": {"5", 1}, "e": {"x=y", 1}, "f": {"", 1}, "g": {}}
	for name := range want {
		if got := CompileFields([]string{name}).Find([]byte(form))[0]; got != want[name] {
			t.Errorf("%q is %+v, want %+v", name, got, want[name])
		}
	}
	many := strings.Repeat("a=1&", maxFields)
	if got := CompileFields([]string{"b"}).Find([]byte(many[:len(many)-5] + "&b=1"))[0]; got.Count != 1 {
		t.Errorf("the last of %d fields is not found", maxFields)
	}
	if got := CompileFields([]string{"a"}).Find([]byte(many + "a=1"))[0]; got.Count != 0 {
		t.Errorf("more than %d fields are read", maxFields)
	}
}

func TestSortedFormsAreSmall(t *testing.T) {
	fields := strings.Repeat("a=1&", maxSorted-1)
	if sorted, ok := AppendSorted(nil, []byte(fields+"b=2")); !ok || string(sorted) != "a1b2" {
		t.Errorf("%q, %v", sorted, ok)
	}
	if _, ok := AppendSorted(nil, []byte(fields+"a=1&b=2")); ok {
		t.Error("a form with too many fields is sorted")
	}
}

// FuzzForm compares with net/url.
func FuzzForm(f *testing.F) {
	for _, form := range []string{"a=1&b=2", "a=1&a=2&%61=3", "a+b=%20", "a;b=1", "%zz=1", "=", "&&", "a=%", "a=1&b=0&a=0&a=1"} {
		f.Add(form, "a")
	}
	f.Fuzz(func(t *testing.T, form, name string) {
		want, err := url.ParseQuery(form)
		got := CompileFields([]string{"x", name}).Find([]byte(form))[1]
		if got.Count != len(want[name]) || got.Count > 0 && got.Value != want.Get(name) {
			t.Fatalf("%q of %q is %+v, want %q", name, form, got, want[name])
		}
		all, ok := Form([]byte(form))
		if ok != (err == nil) || ok && !cmp.Equal(all, map[string][]string(want)) {
			t.Fatalf("%q is %v, %v; want %v, %v", form, all, ok, want, err)
		}
		sorted, ok := AppendSorted([]byte("x"), []byte(form))
		if !ok {
			return
		}
		text := "x"
		for _, name := range slices.Sorted(maps.Keys(want)) {
			slices.Sort(want[name])
			for _, value := range slices.Compact(want[name]) {
				text += name + value
			}
		}
		if string(sorted) != text {
			t.Fatalf("%q is sorted %q, want %q", form, sorted, text)
		}
	})
}
