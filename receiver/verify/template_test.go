package verify

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContent writes every variable.
func TestContent(t *testing.T) {
	r := post("a=2&b=x+y&a=1&a=1", "Content-Type", formType+"; charset=utf-8", "X-Id", "42")
	r.URL, r.RawQuery = "https://example.com/hook?q=1", "q=1"
	document := post(`{"a":{"b":[null,"t\u00e9xt",1.50,true]}}`)
	for _, test := range []struct {
		request *Request
		content string
		want    string
		reason  Reason
	}{
		{r, "v0:{timestamp}:{body}", "v0:17:a=2&b=x+y&a=1&a=1", ""},
		{r, "{{{id}}}", "{ev}", ""},
		{r, "{method} {url}", "POST https://example.com/hook?q=1", ""},
		{r, "{secret}|{crc32}", "key|504078128", ""},
		{r, "{body_sha256}", "5d96f6d4dac27a9ca66674a8f2b3cd7adebbbeb2159a65dc3c41cd93aff82996", ""},
		{r, "{form_sorted}", "a1a2bx y", ""},
		{r, "{header:x-id}{query:q}{form:b}", "421x y", ""},
		{r, "{form:a}", "", DuplicateHeader},
		{r, "{form:c}", "", MalformedBody},
		{r, "{header:X-None}", "", PreconditionFailed},
		{r, "{query:none}", "", PreconditionFailed},
		{r, "{json:/a}", "", MalformedBody},
		{document, "{json:/a/b/0}:{json:/a/b/1}:{json:/a/b/2}:{json:/a/b/3}:{json:/c}", ":téxt:1.50:true:", ""},
		{document, "{json:/a/b}", "", MalformedBody},
		{document, "{form_sorted}", "", MalformedBody},
		{document, "{url}", "", NoPublicURL},
		{post(""), "[{form_sorted}]", "[]", ""},
	} {
		template, err := parseTemplate(test.content, forContent)
		if err != nil {
			t.Fatalf("%s: %v", test.content, err)
		}
		m, rejection := template.message(nil, &scope{request: test.request, timestamp: "17", id: "ev", url: test.request.URL, secret: []byte("key")})
		reason := Reason("")
		if rejection != nil {
			reason = rejection.Reason
		}
		if got := string(slices.Concat(m.Head, m.Body, m.Tail)); reason != test.reason || test.want != got {
			t.Errorf("%s is %q, %q; want %q, %q", test.content, got, reason, test.want, test.reason)
		}
	}
}

// TestFormIsReadAsDeclared: a body that the target won't read as a form isn't
// read as one here either.
func TestFormIsReadAsDeclared(t *testing.T) {
	for _, declared := range []string{"", "application/json", formType + ";", formType + "; a=b", "APPLICATION/x-www-form-urlencoded",
		formType + "; charset", formType + `; charset="utf-8"; charset=utf-8`} {
		r := post("a=1", "Content-Type", declared)
		got, _ := r.lookup(place{kind: inForm, name: "a"})
		if want := strings.HasPrefix(strings.ToLower(declared), formType); (got == "1") != want {
			t.Errorf("Content-Type %q: %q", declared, got)
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "from 1 to",
		strings.Repeat("x", 1025):   "from 1 to",
		"{":                         "without '}'",
		"{body":                     "without '}'",
		"}":                         "without '{'",
		"{body}}":                   "without '{'",
		"{}":                        "not a variable",
		"{Body}":                    "not a variable",
		"{body:x}":                  "not a variable",
		"{header}":                  "needs a name",
		"{header:}":                 "needs a name",
		"{header:a b}":              "can't be the name",
		"{json:a}":                  "JSON pointer",
		"{json:/~2}":                "JSON pointer",
		"{env:HOME}":                "not a variable",
		"{body}{body}":              "{body} once",
		strings.Repeat("{id}.", 30): "at most",
	} {
		if _, err := parseTemplate(text, forContent); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestTimestampParse(t *testing.T) {
	for _, test := range []struct {
		unit Unit
		text string
		want int64 // milliseconds; -1: refused
	}{
		{Seconds, "1700000000", 1700000000000}, {Seconds, "0", 0}, {Seconds, "007", 7000},
		{Seconds, "", -1}, {Seconds, "-1", -1}, {Seconds, "+1", -1}, {Seconds, " 1", -1}, {Seconds, "1 ", -1}, {Seconds, "1.0", -1},
		{Seconds, "1e3", -1}, {Seconds, "0x1", -1}, {Seconds, "١", -1}, {Seconds, "9999999999999999", -1}, {Seconds, "18446744073709551617", -1},
		{Milliseconds, "1700000000123", 1700000000123}, {Milliseconds, "1700000000.1", -1},
		{RFC3339, "2023-11-14T22:13:20Z", 1700000000000}, {RFC3339, "2023-11-14T23:13:20.5+01:00", 1700000000500},
		{RFC3339, "2023-11-14", -1}, {RFC3339, "2023-11-14 22:13:20Z", -1}, {RFC3339, "1700000000", -1},
	} {
		at, ok := test.unit.parse(test.text)
		if ok != (test.want >= 0) || ok && at.UnixMilli() != test.want {
			t.Errorf("%s %q is %v, %v", test.unit, test.text, at, ok)
		}
	}
}

func TestURLForms(t *testing.T) {
	for _, test := range []struct{ address, withPort, without string }{
		{"https://a.b/c?d=e#f", "https://a.b:443/c?d=e#f", "https://a.b/c?d=e#f"},
		{"http://a.b/%2f", "http://a.b:80/%2f", "http://a.b/%2f"},
		{"http://a.b:8080/", "http://a.b:8080/", "http://a.b/"},
		{"https://[::1]:8443/x", "https://[::1]:8443/x", "https://[::1]/x"},
		{"https://[::1]/x", "https://[::1]:443/x", "https://[::1]/x"},
		{"::", "::", "::"},
		{"", "", ""},
	} {
		got := []string{URLAsGiven.spell(test.address), URLDefaultPort.spell(test.address), URLNoPort.spell(test.address)}
		if diff := cmp.Diff([]string{test.address, test.withPort, test.without}, got); diff != "" {
			t.Errorf("%s: %s", test.address, diff)
		}
	}
}

func TestEncodings(t *testing.T) {
	for _, test := range []struct {
		encoding Encoding
		text     string
		want     string
		ok       bool
	}{
		{Hex, "00fF", "\x00\xff", true}, {Hex, "0", "", false}, {Hex, "0x00", "", false}, {Hex, " 00", "", false},
		{Base64, "_-==", "", false}, {Base64, "/+8=", "\xff\xef", true}, {Base64, "/+8", "", false}, {Base64, "/+9=", "", false},
		{Base64, "/+8=\n", "", false}, {Base64, "/+\n8=", "", false},
		{Base64URL, "_-8=", "\xff\xef", true}, {Base64URL, "_-8", "\xff\xef", true}, {Base64URL, "/+8", "", false},
		{Text, " x", " x", true},
	} {
		got, err := test.encoding.decode(test.text)
		if (err == nil) != test.ok || test.ok && string(got) != test.want {
			t.Errorf("%s %q is %q, %v", test.encoding, test.text, got, err)
		}
	}
}
