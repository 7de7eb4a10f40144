package verify

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// formOf makes a form of pairs of names and values.
func formOf(pairs ...string) *Request {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return post(form.Encode(), "Content-Type", formType)
}

const braintreeXML = `<?xml version="1.0" encoding="UTF-8"?>
<notification>
  <timestamp type="datetime">2014-01-01T10:11:12Z</timestamp>
  <kind>subscription_charged_successfully</kind>
  <subject><kind>another</kind></subject>
</notification>
`

func TestDecoders(t *testing.T) {
	inLines := func(text string) string {
		return text[:20] + "\n" + text[20:] + "\n"
	}
	braintree := inLines(base64.StdEncoding.EncodeToString([]byte(braintreeXML)))
	event := `{"source":"aws.s3","detail-type":"Object Created","detail":{"n":7}}`
	fields := func(values string) *Request { return formOf("mandrill_events", values) }
	for name, test := range map[string]struct {
		template string
		request  *Request
		want     string
	}{
		"JSON in a form":        {"{form:payload|json:/id}", formOf("payload", `{"id":12}`), "12"},
		"XML in base64":         {"{form:bt_payload|base64|xml:/notification/kind}", formOf("bt_payload", braintree), "subscription_charged_successfully"},
		"JSON in JSON":          {"{json:/Message|json:/detail-type}", post(`{"Message":` + strconv.Quote(event) + `}`), "Object Created"},
		"deeper":                {"{json:/Message|json:/detail/n}", post(`{"Message":` + strconv.Quote(event) + `}`), "7"},
		"base64 in a header":    {"{header:X|base64}", post("", "X", "aGk="), "hi"},
		"no padding":            {"{header:X|base64}", post("", "X", "aGk"), "hi"},
		"the URL alphabet":      {"{header:X|base64}", post("", "X", "_-8"), ""}, // 0xff 0xef is no type
		"no base64":             {"{header:X|base64}", post("", "X", "a!"), ""},
		"base64 of nothing":     {"{header:X|base64}", post("", "X", "="), ""},
		"no JSON":               {"{form:payload|json:/id}", formOf("payload", `{"id":12`), ""},
		"another member":        {"{form:payload|json:/id}", formOf("payload", `{"ID":12}`), ""},
		"an object":             {"{form:payload|json:/id}", formOf("payload", `{"id":{}}`), ""},
		"no field":              {"{form:payload|json:/id}", formOf("x", "y"), ""},
		"not declared a form":   {"{form:payload|json:/id}", post("payload=%7B%22id%22%3A12%7D"), ""},
		"no XML":                {"{header:X|xml:/a}", post("", "X", "<a>1"), ""},
		"another element":       {"{header:X|xml:/a/b}", post("", "X", "<a><c>1</c></a>"), ""},
		"the second branch":     {"{header:X|xml:/a/b/c}", post("", "X", "<a><b/><x><b><c>0</c></b></x><b><c>1</c></b></a>"), "1"},
		"CDATA and entities":    {"{header:X|xml:/a}", post("", "X", "<a>x<![CDATA[<&]]>&amp;<b>no</b>y</a>"), "x<&&y"},
		"a namespace":           {"{header:X|xml:/a/b}", post("", "X", `<n:a xmlns:n="urn:n"><n:b>1</n:b></n:a>`), "1"},
		"all types":             {"{json:/*/type}", post(`[{"type":"a"},{"type":"b"},{"type":"a"}]`), "a,b"},
		"types in a form":       {"{form:mandrill_events|json:/*/event}", fields(`[{"event":"open"},{"event":"click"}]`), "open,click"},
		"types, some missing":   {"{json:/*/type}", post(`[{},{"type":"b"},{"type":null},{"type":"a\nb"},{"type":"c"}]`), "b,c"},
		"nested":                {"{json:/entry/*/changes/*/field}", post(`{"entry":[{"changes":[{"field":"x"},{"field":"y"}]},{"changes":[]},{"changes":[{"field":"z"}]}]}`), "x,y,z"},
		"no array":              {"{json:/*/type}", post(`{"*":{"type":"a"}}`), ""},
		"an empty array":        {"{json:/*/type}", post(`[]`), ""},
		"not JSON":              {"{json:/*/type}", post(`[{"type":"a"}`), ""},
		"each decoded":          {"{json:/*|base64|json:/t}", post(`["eyJ0IjoxfQ==","eyJ0IjoyfQ=="]`), "1,2"},
		"two variables":         {"{json:/a}.{json:/b/*}", post(`{"a":1,"b":[2,3]}`), "1.2,1.3"},
		"a pipe in a JSON text": {"{json:/a}", post(`{"a":"x|y"}`), "x|y"},
	} {
		t.Run(name, func(t *testing.T) {
			v := compiledProvider(t, withIdentity([]string{"{body_sha256}"}, []string{test.template}))
			got, err := v.Identify(test.request, Verdict{})
			if err != nil || got.Type != test.want {
				t.Errorf("the type is %q (%v), want %q", got.Type, err, test.want)
			}
		})
	}
}

// TestBatches: the id of several events is that of all of them, in their order,
// and an event that has none is not hidden behind the ids of others.
func TestBatches(t *testing.T) {
	v := compiledProvider(t, withIdentity([]string{"{json:/events/*/id}"}, nil))
	id := func(body string) string {
		got, err := v.Identify(post(body), Verdict{})
		if reason := reasonOf(t, err); reason != "" && reason != MissingID {
			t.Fatal(err)
		}
		return got.ID
	}
	const ab = "batch-2-3c9d591045bc8876f9d0399bbfb05c6a" // computed elsewhere
	for body, want := range map[string]string{
		`{"events":[{"id":"a"}]}`:                       "a",
		`{"events":[{"id":"a"},{"id":"b"}]}`:            ab,
		`{"events":[ {"x":[1],"id":"a"} , {"id":"b"}]}`: ab,
		`{"events":[{"id":1},{"id":true}]}`:             batch([]string{"1", "true"}),
		`{"events":[]}`:                                 "",
		`{"events":{}}`:                                 "",
		`{}`:                                            "",
		`{"events":[{"id":"a"},{}]}`:                    "",
		`{"events":[{"id":"a"},{"id":null}]}`:           "",
		`{"events":[{"id":"a"},{"id":{}}]}`:             "",
		`{"events":[{"id":"a"},1]}`:                     "",
		`{"events":[` + strings.Repeat(`{"id":1},`, maxValues-1) + `{"id":1}]}`: batch(slices.Repeat([]string{"1"}, maxValues)),
		`{"events":[` + strings.Repeat(`{"id":1},`, maxValues) + `{"id":1}]}`:   "",
	} {
		if got := id(body); got != want {
			t.Errorf("%.60s: %q, want %q", body, got, want)
		}
	}
	distinct := map[string]bool{}
	for _, body := range []string{`["a","b"]`, `["b","a"]`, `["ab",""]`, `["a","bc"]`, `["ab","c"]`, `["abc"]`, `["a","b","c"]`} {
		var ids []string
		for id := range strings.SplitSeq(strings.Trim(body, "[]"), ",") {
			ids = append(ids, strings.Trim(id, `"`))
		}
		distinct[batch(ids)] = true
	}
	if len(distinct) != 7 {
		t.Errorf("seven batches have %d ids", len(distinct))
	}
}

func TestStepErrors(t *testing.T) {
	for template, want := range map[string]string{
		"{form:x|hex}":       "not a step",
		"{form:x|}":          "not a step",
		"{form:x|base64:y}":  "not a step",
		"{form:x|json:id}":   "not a JSON pointer",
		"{form:x|json:}":     "needs a name",
		"{form:x|xml:a}":     "must be a path",
		"{form:x|xml:/}":     "names of elements",
		"{form:x|xml:/a//b}": "names of elements",
		"{form:x|xml:/a/@b}": "names of elements",
		"{form:x|hmac_hex}":  "not a step",
		"{form:|base64}":     "needs a name",
		"{form:x" + strings.Repeat("|base64", 5) + "}": "at most 4 steps",
		"{body|base64}": "not a variable here",
		"{claim:/sub}":  "no claims without",
		"{members:a}":   "not a variable here",
		"{param:x}":     "not a variable here",
		"{xml:/a}":      "not a variable here",
	} {
		_, err := Compile(withIdentity([]string{template}, nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", template, err, want)
		}
	}
	for _, content := range []string{"{body}{header:X|base64}", "{body}{json:/a/*}", "{body}{claim:/a}"} {
		p := githubLike
		p.Schemes = []Scheme{githubLike.Schemes[0]}
		p.Schemes[0].Content = content
		if _, err := Compile(p); err == nil {
			t.Errorf("%s is taken for a content", content)
		}
	}
}

// TestCoverageOfSteps: what is decoded is as signed as the place it comes from.
func TestCoverageOfSteps(t *testing.T) {
	p := withIdentity([]string{"{json:/a/*/id}"}, []string{"{header:X|json:/t}", "{form:f|json:/*/t}"})
	got := compiledProvider(t, p).Unauthenticated()
	if diff := cmp.Diff([]string{"sha256: the event type (header X, form field f); the time: a request that was captured passes again once its event is forgotten (deduplication.window)"}, got); diff != "" {
		t.Error(diff)
	}
}
