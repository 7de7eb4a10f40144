package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// lookup finds one pointer, as text.
func lookup(text string, tokens ...string) string {
	found := Compile([][]string{tokens}, nil).Find([]byte(text))
	return string(found.Value(0))
}

func TestFind(t *testing.T) {
	for _, test := range []struct{ text, pointer, want string }{
		{`{"a":1}`, "a", `1`},
		{` { "a" : "x" , "b" : 2 } `, "b", `2`},
		{`{"a":1,"a":2}`, "a", `2`},
		{`{"a":{"b":1},"a":{"c":2}}`, "a/b", ``},
		{`{"a":{"b":1},"a":3}`, "a/b", ``},
		{`{"a":{"b":1},"\u0061":{"b":2}}`, "a/b", `2`},
		{`{"x":{"a":1}}`, "a", ``},
		{`{"x":"a","y":1}`, "a", ``},
		{`{"a":"a"}`, "a", `"a"`},
		{`["a",{"a":1}]`, "a", ``},
		{`["a",{"a":1}]`, "1/a", `1`},
		{`{"1":{"a":1}}`, "1/a", `1`},
		{`[[0,1],[2,3]]`, "1/0", `2`},
		{`[0,1]`, "2", ``},
		{`[0,1]`, "01", ``},
		{`[]`, "0", ``},
		{`[[]]`, "0", `[]`},
		{`[ "]" , "[" ]`, "1", `"["`},
		{`{"a":"\"}","b":1}`, "b", `1`},
		{`{"a\"":1,"b":"\\"}`, "b", `"\\"`},
		{`{"a":{"b":[{"c":[]}]},"d":-1.5e3}`, "d", `-1.5e3`},
		{`{"\ud83d\ude00":1}`, "😀", `1`},
		{`{"é":1}`, "é", `1`},
		{`{"\u00e9":1}`, "é", `1`},
		{`{"":1}`, "", `1`},
		{`"a"`, "a", ``},
		{``, "a", ``},
		{`{"a":`, "a", ``},
		{`{"a`, "a", ``},
		{`[,,`, "2000000000", ``},
		{`[}`, "2000000000", ``},
	} {
		if got := lookup(test.text, strings.Split(test.pointer, "/")...); got != test.want {
			t.Errorf("%s of %s is %s, want %s", test.pointer, test.text, got, test.want)
		}
	}
}

// TestFindAll: pointers through and to the same places don't disturb one another.
func TestFindAll(t *testing.T) {
	paths := Compile([][]string{{"a"}, {"a", "b"}, {"c", "0"}, {"a"}, {"c", "1", "d"}, {"e"}}, []string{"Type"})
	found := paths.Find([]byte(`{"a":{"b":1},"c":[2,{"d":3},4],"Type":"x","f":5}`))
	want := []string{`{"b":1}`, `1`, `2`, `{"b":1}`, `3`, ``}
	for i := range want {
		if got := string(found.Value(i)); got != want[i] {
			t.Errorf("%d: %s, want %s", i, got, want[i])
		}
	}
	if value, again := found.Unique(0); string(value) != `"x"` || again || !found.Object() {
		t.Errorf("%s, %v, %v", value, again, found.Object())
	}
}

func TestUnique(t *testing.T) {
	paths := Compile(nil, []string{"Type", "Kind"})
	for text, want := range map[string]bool{
		`{"Type":1}`:                          false,
		`{"Type":1,"Type":1}`:                 true,
		`{"Type":1,"type":2}`:                 true,
		`{"type":2}`:                          true,
		`{"Type":1,"T\u0079pe":2}`:            true,
		`{"Type":1,"\u0054\u0059\u0050E":2}`:  true,
		`{"Type":1,"x":{"Type":2}}`:           false,
		`{"Type":1,"x":["Type"]}`:             false,
		`{"Type":1,"x":"Type"}`:               false,
		`{"Type":1,"types":2}`:                false,
		`{"Kind":1,"\u212Aind":2}`:            true, // the sign of the unit kelvin
		`{"Kind":1,"` + "\u212A" + `ind":2}`:  true,
		`{"Kind":1,"` + "\u212A" + `inds":2}`: false,
		`[{"Type":1},{"Type":1}]`:             false,
	} {
		found := paths.Find([]byte(text))
		_, first := found.Unique(0)
		_, second := found.Unique(1)
		if got := first || second; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for value, want := range map[string]string{
		`"a"`: "a", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u00e9"`: "é", `"\ud83d\ude00"`: "😀", `"\ud83d"`: "\ufffd", `"\ud83d\u0041"`: "\ufffdA",
		`"\ude00\ud83d\ude00x"`: "\ufffd😀x", `"t\u00e9xt\n."`: "téxt\n.", `1e3`: "1e3", `true`: "true", `null`: "", ``: "", `"`: "",
	} {
		if got, ok := Text([]byte(value)); !ok || got != want {
			t.Errorf("%s is %q, %v; want %q", value, got, ok, want)
		}
	}
	for _, value := range []string{`{}`, `[1]`} {
		if _, ok := Text([]byte(value)); ok {
			t.Errorf("%s is taken for a text", value)
		}
	}
}

func TestTrim(t *testing.T) {
	for text, want := range map[string]string{"\xef\xbb\xbf {}": "{}", "\xef\xbb{}": "\xef\xbb{}", " 1 ": "1 ", "": "", "\xef\xbb\xbf": ""} {
		if got := string(Trim([]byte(text))); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// FuzzFind compares with encoding/json on JSON, and does not panic on all else.
func FuzzFind(f *testing.F) {
	for _, text := range []string{
		`{"a":{"b":[1,"x"]},"c":2}`, `[[],{}]`, `{"a":1,"a":{"b":2}}`, ` "x" `, `{"\u0061":null}`, `-0.5e3`, `[{"a":1},[2]]`, `{"a\"":"\\"}`,
		`{"a":"x\n\u00e9y","b":{"a":"\"z"}}`, `{"a":`, `[}`, `"\`, `{"a":"b":"c"}`, `{"\u00`, `[,]`, `{"a"`, `{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1}`,
	} {
		f.Add(text, "a", "b", "1")
	}
	f.Fuzz(func(t *testing.T, text, first, second, third string) {
		pointers := [][]string{{first}, {first, second}, {second}, {second, third, first}, {first, second, third}, {third}}
		found := Compile(pointers, []string{first}).Find([]byte(text))
		unique, again := found.Unique(0)
		for token := range strings.SplitSeq(text, ",") {
			Child([]byte(text), token)
		}
		_, _ = Text([]byte(text))
		if !Valid([]byte(text)) || !utf8.ValidString(text) || !utf8.ValidString(first+second+third) {
			return
		}
		var document any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&document); err != nil {
			return // such as a number that is too large
		}
		for i, pointer := range pointers {
			want := follow(document, pointer)
			if got := decoded(found.Value(i)); got != want {
				t.Fatalf("%q of %s is %s, want %s", pointer, text, got, want)
			}
			value := SkipSpace([]byte(text))
			for _, token := range pointer {
				value = Child(value, token)
			}
			if got := decoded(Value(value)); got != want {
				t.Fatalf("step by step, %q of %s is %s, want %s", pointer, text, got, want)
			}
		}
		if got, want := again, twins(text, first); got != want {
			t.Fatalf("%q is there again in %s: %v, want %v (%s)", first, text, got, want, unique)
		}
	})
}

// decoded writes a value as encoding/json reads it.
func decoded(value []byte) string {
	if value == nil {
		return "nothing"
	}
	var v any
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return err.Error()
	}
	if text, ok := v.(string); ok {
		if got, _ := Text(value); got != text {
			return fmt.Sprintf("%q, and by Text %q", text, got)
		}
	}
	return fmt.Sprintf("%#v", v)
}

func follow(value any, pointer []string) string {
	for _, token := range pointer {
		var ok bool
		switch v := value.(type) {
		case map[string]any:
			value, ok = v[token]
		case []any:
			for i := range v {
				if strconv.Itoa(i) == token {
					value, ok = v[i], true
					break
				}
			}
		}
		if !ok {
			return "nothing"
		}
	}
	return fmt.Sprintf("%#v", value)
}

// twins reports whether a top-level member is there under more than one spelling.
func twins(text, name string) bool {
	decoder := json.NewDecoder(strings.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	count := 0
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		key, _ := token.(string)
		if strings.EqualFold(key, name) {
			if count++; key != name || count > 1 {
				return true
			}
		}
		var skipped json.RawMessage
		if decoder.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}
