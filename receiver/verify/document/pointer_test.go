package document

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPointer(t *testing.T) {
	const document = ` { "a" : [ 1 , {"b":"x\"]"} , [ ] ] , "" : "empty" , "a/b~c" : "\u0041" ,
		"\u0064" : "escaped name", "twice" : {"x":1} , "twice" : {"y":2} , "n": -1.5e+10, "z": null, "t":true } `
	for text, want := range map[string]string{
		"/a/0": "1", "/a/1/b": `x"]`, "/a/2": "", "/a/3": "", "/a/00": "", "/a/-": "", "/a/b": "",
		"/": "empty", "/a~1b~0c": "A", "/d": "escaped name", "/n": "-1.5e+10", "/z": "", "/t": "true", "/n/x": "", "/none": "",
		"/twice/x": "", "/twice/y": "2", // the last one counts
	} {
		p, err := ParsePointer(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := p.Text([]byte(document)); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	if _, err := ParsePointer(strings.Repeat("/a", maxDepth+1)); err == nil {
		t.Error("a pointer of any depth is taken")
	}
}

// FuzzJSONPointer compares with encoding/json, which repairs what is no UTF-8.
func FuzzJSONPointer(f *testing.F) {
	for _, document := range []string{`{"a":{"b":[1,"x"]}}`, `[[],{}]`, `{"a":1,"a":{"b":2}}`, ` "x" `, `{"\u0061":null}`, `-0.5e3`} {
		f.Add(document, "/a/b/0")
	}
	f.Fuzz(func(t *testing.T, document, path string) {
		p, err := ParsePointer(path)
		if err != nil || !Valid([]byte(document)) || !utf8.ValidString(document) || p.Wild() {
			return
		}
		var value any
		decoder := json.NewDecoder(strings.NewReader(document))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil {
			return
		}
		want, wantOK := walk(value, p)
		if got, ok := p.Text([]byte(document)); ok != wantOK || got != want {
			t.Fatalf("%s of %s is %q, %v; encoding/json says %q, %v", path, document, got, ok, want, wantOK)
		}
	})
}

// walk follows a pointer through a decoded value.
func walk(value any, p Pointer) (string, bool) {
	for _, token := range p {
		switch v := value.(type) {
		case map[string]any:
			value = v[token]
		case []any:
			value = nil
			for i := range v {
				if strconv.Itoa(i) == token {
					value = v[i]
				}
			}
		default:
			value = nil
		}
	}
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
