package document

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"unicode/utf8"
)

// TestPointerPut writes members without touching others.
func TestPointerPut(t *testing.T) {
	for _, test := range []struct{ document, path, text, want string }{
		{`{}`, "/a", "x", `{"a":"x"}`},
		{` { "b" : 1 } `, "/a", "x", ` { "b" : 1 ,"a":"x"} `},
		{`{"a":"o","b":2}`, "/a", `"`, `{"a":"\"","b":2}`},
		{`{"a":1,"a":2}`, "/a", "3", `{"a":1,"a":3}`},
		{`{"a":"1"}`, "/a", "2", `{"a":"2"}`},
		{`{"a":1}`, "/a", "x", `{"a":"x"}`},
		{`{"a":1}`, "/a", "2 ", `{"a":"2 "}`},
		{`{"a":true}`, "/a", "false", `{"a":false}`},
		{`{"a":null}`, "/a", "2", `{"a":"2"}`},
		{`{"a":[1,2]}`, "/a/1", "3", `{"a":[1,3]}`},
		{`{"a":[1,2]}`, "/a/2/b", "3", `{"a":[1,2,{"b":"3"}]}`},
		{`{}`, "/a/0/b/0", "x", `{"a":[{"b":["x"]}]}`},
		{`{}`, "/a/1", "x", `{"a":{"1":"x"}}`},
		{`{"a~/b":1}`, "/a~0~1b", "2", `{"a~/b":2}`},
		{`{"a":{}}`, "/a", "x", ""},
		{`{"a":1}`, "/a/b", "x", ""},
		{`[]`, "/1", "x", ""},
	} {
		p, err := ParsePointer(test.path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Put([]byte(test.document), test.text, false)
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s in %s: %s, %v", test.path, test.document, got, err)
		}
	}
}

// FuzzPointerPut: what is put is found again, in a document that is JSON still.
func FuzzPointerPut(f *testing.F) {
	f.Add(`{"a":[{"b":1}],"c":"d"}`, "/a/0/b", "text")
	f.Add(` [ 1 , {} ] `, "/2/x", `"\`)
	f.Add(`{"":null}`, "/", "5")
	f.Fuzz(func(t *testing.T, document, path, text string) {
		p, err := ParsePointer(path)
		if err != nil || !utf8.ValidString(path) || !json.Valid([]byte(document)) || p.Wild() {
			return
		}
		got, err := p.Put([]byte(document), text, len(text)%2 == 0)
		if err != nil {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%s in %s makes %s", path, document, got)
		}
		if found, ok := p.Text(got); utf8.ValidString(text) && (!ok || found != text) {
			t.Errorf("%q is put and %q is found in %s", text, found, got)
		}
	})
}

// TestSetPair keeps the rest of a query as it is written.
func TestSetPair(t *testing.T) {
	for _, test := range [][4]string{
		{"", "a", "1", "a=1"},
		{"b=%7e&c", "a", "x y&", "b=%7e&c&a=x+y%26"},
		{"a=1&b=2&%61=3&a", "a", "9", "a=9&b=2"},
		{"%zz=1&a=2", "a", "3", "%zz=1&a=3"},
	} {
		if got := SetPair(test[0], test[1], test[2]); got != test[3] {
			t.Errorf("%s with %s=%s is %s", test[0], test[1], test[2], got)
		}
	}
	if got := DropPairs("a=1&b=2&%61=3&a", "a"); got != "b=2" {
		t.Errorf("what is left is %s", got)
	}
}

// FuzzPairs: what is set is there once, and what is dropped is gone, whatever else
// stands in a query.
func FuzzPairs(f *testing.F) {
	f.Add("b=%7e&c&a=1&%61=2&%zz=3", "a", "x y&")
	f.Add("&&=", "", "")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		changed := SetPair(text, name, value)
		want := url.QueryEscape(name) + "=" + url.QueryEscape(value)
		if got := PairsOf(changed, name); value != "" && !slices.Equal(got, []string{want}) {
			t.Fatalf("%q and %q=%q make %q, in which there is %q", text, name, value, changed, got)
		}
		if rest := DropPairs(changed, name); len(PairsOf(rest, name)) > 0 || rest != DropPairs(text, name) {
			t.Fatalf("without %q, %q is %q", name, changed, rest)
		}
	})
}
