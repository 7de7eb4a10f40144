package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// numbered are so many types, from one on.
func numbered(from, to int) []string {
	var types []string
	for i := from; i <= to; i++ {
		types = append(types, fmt.Sprintf("t%d", i))
	}
	return types
}

// elements is an array of objects with such members.
func elements(members ...string) string { return "[{" + strings.Join(members, "},{") + "}]" }

func TestTypesOfBatches(t *testing.T) {
	form := func(field string) *Request {
		return post("payload="+strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D", "[", "%5B", "]", "%5D").Replace(field), "Content-Type", formType)
	}
	xero := []string{"{json:/events/*/category}.{json:/events/*/type}"}
	for name, test := range map[string]struct {
		kind    []string
		request *Request
		want    []string
	}{
		"different":      {[]string{"{json:/*/e}"}, post(elements(`"e":"bounce"`, `"e":"open"`, `"e":"bounce"`)), []string{"bounce", "open"}},
		"zipped":         {xero, post(`{"events":` + elements(`"category":"INVOICE","type":"CREATE"`, `"category":"CONTACT","type":"UPDATE"`) + `}`), []string{"INVOICE.CREATE", "CONTACT.UPDATE"}},
		"one lacks half": {xero, post(`{"events":` + elements(`"category":"INVOICE"`, `"category":"CONTACT","type":"UPDATE"`, `"type":null,"category":"X"`) + `}`), []string{"CONTACT.UPDATE"}},
		"all lack half":  {xero, post(`{"events":` + elements(`"category":"INVOICE"`, `"type":"UPDATE"`) + `}`), nil},
		"a constant": {
			[]string{"{json:/object}.{json:/entry/*/changes/*/field}", "{json:/object}"},
			post(`{"object":"page","entry":` + elements(`"changes":[{"field":"a"},{"field":"b"}]`, `"changes":[{"field":"c"}]`) + `}`),
			[]string{"page.a", "page.b", "page.c"},
		},
		"the constant is missing": {[]string{"{json:/object}.{json:/*/x}", "{header:X-Type}"}, post(elements(`"x":1`), "X-Type", "t"), []string{"t"}},
		"what another template says of the others": {
			[]string{"{json:/value/*/changeType}", "{json:/value/*/lifecycleEvent}"},
			post(`{"value":` + elements(`"changeType":"created"`, `"lifecycleEvent":"missed"`) + `}`),
			[]string{"created", "missed"},
		},
		"no element has one":  {[]string{"{json:/*/x}", "{header:X-Type}"}, post("[{}]", "X-Type", "t"), []string{"t"}},
		"all elements have":   {[]string{"{json:/*/x}", "{header:X-Type}"}, post(elements(`"x":1`), "X-Type", "t"), []string{"1"}},
		"decoded elements":    {[]string{"{form:payload|json:/*/a}.{form:payload|json:/*/b}"}, form(elements(`"a":1`, `"a":2,"b":3`, `"a":4,"b":5`)), []string{"2.3", "4.5"}},
		"decoded in elements": {[]string{"{json:/*/a|json:/k}.{json:/*/b}"}, post(elements(`"a":"{\"k\":1}","b":2`, `"a":"no JSON","b":3`, `"a":"{\"k\":4}","b":5`)), []string{"1.2", "4.5"}},
		"arrays in elements":  {[]string{"{json:/*|json:/*/a}.{json:/*|json:/*/b}"}, post(`["no JSON","[{\"a\":1,\"b\":2},{\"a\":3}]","[{\"a\":4,\"b\":5}]"]`), []string{"1.2", "4.5"}},
		"what is no type":     {[]string{"{json:/*}"}, post(`["a\nb","` + strings.Repeat("x", 257) + `","c",{}]`), []string{"c"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compiledProvider(t, withIdentity([]string{"{body_sha256}"}, test.kind)).Identify(test.request, Verdict{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Types); diff != "" || got.TypesOverflow || got.Type != strings.Join(test.want, ",") {
				t.Errorf("the type is %q, and of the types there are others (%v): %s", got.Type, got.TypesOverflow, diff)
			}
		})
	}
}

// TestTypesThatAreTooMany: nobody is told that those which are there are all.
func TestTypesThatAreTooMany(t *testing.T) {
	long := strings.Repeat("x", 124)
	for name, test := range map[string]struct {
		types, want []string
		text        string
		more        bool
	}{
		"as many as there may be": {numbered(1, 64), numbered(1, 64), strings.Join(numbered(1, 64), ","), false},
		"one more":                {numbered(1, 65), numbered(1, 64), strings.Join(numbered(1, 64), ",") + ",…", true},
		"repeated ones":           {slices.Repeat([]string{"a", "b"}, 5000), []string{"a", "b"}, "a,b", false},
		"too many elements":       {append(slices.Repeat([]string{"a"}, maxValues), "b"), []string{"a"}, "a,…", true},
		"just as long as allowed": {[]string{long + "1", long + "2", "3456"}, []string{long + "1", long + "2", "3456"}, long + "1," + long + "2,3456", false},
		"longer than allowed":     {[]string{long + "1", long + "2", "34567"}, []string{long + "1", long + "2", "34567"}, long + "1," + long + "2,…", false},
		"one is too long already": {[]string{long + long, "123456789"}, []string{long + long, "123456789"}, long + long + ",…", false},
		"no room for the mark":    {[]string{long + long + "12345", "678"}, []string{long + long + "12345", "678"}, "…", false},
	} {
		t.Run(name, func(t *testing.T) {
			v := compiledProvider(t, withIdentity([]string{"{body_sha256}"}, []string{"{json:/*}"}))
			got, err := v.Identify(post(`["`+strings.Join(test.types, `","`)+`"]`), Verdict{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Identification{ID: got.ID, Type: test.text, Types: test.want, TypesOverflow: test.more}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOneArray: the values of different arrays belong to no common element.
func TestOneArray(t *testing.T) {
	for text, want := range map[string]string{
		"{json:/a/*/x}.{json:/a/*/y}":                      "",
		"{json:/a/*/x}.{json:/b}":                          "",
		"{json:/a/*/b/*/x}.{json:/a/*/b/*/y/z}":            "",
		"{form:f|json:/*/x}.{form:f|json:/*/y|base64}":     "",
		"{json:/a/*/x}.{json:/b/*/x}":                      `runs over two arrays, {json:/a/*…} and {json:/b/*…}`,
		"{json:/a/*/x}.{json:/a/*/b/*/x}":                  `runs over two arrays`,
		"{form:f|json:/*/x}.{form:g|json:/*/y}":            `runs over two arrays`,
		"{form:f|json:/*/x}.{json:/*/y}":                   `runs over two arrays`,
		"{json:/*/x}-{header:X-Type}.{json:/*/y}-{json:/}": "",
	} {
		_, err := Compile(withIdentity([]string{"{body_sha256}"}, []string{text}))
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Compile(withIdentity([]string{"{json:/a/*/x}:{json:/b/*/x}"}, nil)); err != nil {
		t.Errorf("an id of two arrays: %v", err)
	}
}
