package verify

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
)

// parametersOf makes parameters of pairs of names and values.
func parametersOf(pairs ...string) Parameters {
	p := Parameters{}
	for i := 0; i < len(pairs); i += 2 {
		p[pairs[i]] = append(p[pairs[i]], secret.New([]byte(pairs[i+1])))
	}
	return p
}

// get makes a GET request of a query and pairs of header names and values.
func get(query string, pairs ...string) *Request {
	r := post("", pairs...)
	r.Method, r.RawQuery = "GET", query
	return r
}

func TestConditions(t *testing.T) {
	topics := parametersOf("topics", "a", "topics", "bc", "empty", "")
	equals := Condition{Location: Location{Query: "x"}, Equals: "1"}
	pattern := Condition{Location: Location{Query: "x"}, Pattern: `[a-z]+|0`}
	parameter := Condition{Location: Location{Query: "x"}, Parameter: "topics"}
	empty := Condition{Location: Location{Query: "x"}, Parameter: "empty"}
	there := Condition{Location: Location{Query: "x"}}
	for name, test := range map[string]struct {
		list   []Condition
		query  string
		holds  bool
		reason Reason
	}{
		"none":                      {nil, "", true, ""},
		"there":                     {[]Condition{there}, "x=anything", true, ""},
		"not there":                 {[]Condition{there}, "y=1", false, ""},
		"empty is not there":        {[]Condition{there}, "x=", false, ""},
		"twice":                     {[]Condition{there}, "x=1&x=1", false, DuplicateHeader},
		"equal":                     {[]Condition{equals}, "x=1", true, ""},
		"unequal":                   {[]Condition{equals}, "x=11", false, ""},
		"equal twice":               {[]Condition{equals}, "x=1&x=2", false, DuplicateHeader},
		"pattern":                   {[]Condition{pattern}, "x=abc", true, ""},
		"pattern, other half":       {[]Condition{pattern}, "x=0", true, ""},
		"pattern, at the start":     {[]Condition{pattern}, "x=abc1", false, ""},
		"pattern, at the end":       {[]Condition{pattern}, "x=10", false, ""},
		"pattern, a line of it":     {[]Condition{pattern}, "x=abc%0Axyz", false, ""},
		"pattern, a line break":     {[]Condition{pattern}, "x=abc%0A", false, ""},
		"pattern, too long":         {[]Condition{pattern}, "x=" + strings.Repeat("a", maxMatched+1), false, ""},
		"pattern, the longest":      {[]Condition{pattern}, "x=" + strings.Repeat("a", maxMatched), true, ""},
		"parameter":                 {[]Condition{parameter}, "x=a", true, ""},
		"parameter, second value":   {[]Condition{parameter}, "x=bc", true, ""},
		"parameter, another value":  {[]Condition{parameter}, "x=b", false, ""},
		"parameter, nothing there":  {[]Condition{parameter}, "", false, ""},
		"parameter, empty":          {[]Condition{empty}, "x=", false, ""},
		"all hold":                  {[]Condition{there, {Location: Location{Query: "y"}}}, "x=1&y=1", true, ""},
		"one of two":                {[]Condition{there, {Location: Location{Query: "y"}}}, "x=1", false, ""},
		"the first one that fails":  {[]Condition{there, {Location: Location{Query: "y"}}}, "y=1&y=2", false, ""},
		"malformed query, its rest": {[]Condition{there}, "x=1&%", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := &compiler{parameters: []Parameter{{Name: "topics"}, {Name: "empty"}}}
			list := c.conditions("when", test.list, false)
			if len(c.errs) > 0 {
				t.Fatal(c.errs)
			}
			holds, rejection := list.satisfiedBy(get(test.query), topics)
			var reason Reason
			if rejection != nil {
				reason = rejection.Reason
			}
			if holds != test.holds || reason != test.reason {
				t.Errorf("%v, %q; want %v, %q", holds, reason, test.holds, test.reason)
			}
			if holds, _ := list.satisfiedBy(get(test.query), nil); holds && test.list != nil && test.list[0].Parameter != "" {
				t.Error("it holds without parameters")
			}
		})
	}
}

func TestConditionErrors(t *testing.T) {
	at := Location{Header: "X"}
	for name, test := range map[string]struct {
		condition Condition
		want      string
	}{
		"no place":           {Condition{Equals: "1"}, "exactly one of"},
		"two places":         {Condition{Location: Location{Header: "X", Query: "x"}}, "exactly one of"},
		"two tests":          {Condition{Location: at, Equals: "1", Pattern: "1"}, "at most one of"},
		"there and absent":   {Condition{Location: at, Equals: "1", Absent: true}, "at most one of"},
		"nothing optional":   {Condition{Location: at, Equals: "1", Optional: true}, "needs parameter"},
		"no pattern":         {Condition{Location: at, Pattern: "["}, "regular expression"},
		"out of the group":   {Condition{Location: at, Pattern: "a)|(b"}, "regular expression"},
		"an open quotation":  {Condition{Location: at, Pattern: `\Qa`}, "regular expression"},
		"a long pattern":     {Condition{Location: at, Pattern: strings.Repeat("a", 257)}, "longer than"},
		"unknown parameter":  {Condition{Location: at, Parameter: "y"}, "not a parameter"},
		"a claim":            {Condition{Location: Location{Claim: "/sub"}}, "no claims here"},
		"many":               {Condition{Location: Location{JSON: "/a/*"}}, "identity only"},
		"a header of no one": {Condition{Location: Location{Header: "a b"}}, "can't be the name of a header"},
	} {
		t.Run(name, func(t *testing.T) {
			p := githubLike
			p.Schemes = []Scheme{githubLike.Schemes[0]}
			p.Schemes[0].When = []Condition{test.condition}
			if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "schemes[0].when[0]") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	json := func(pointer string) []Condition {
		return []Condition{{Location: Location{JSON: pointer}, Absent: true}}
	}
	query := []Condition{{Location: Location{Query: "x"}, Absent: true}}
	header := []Condition{{Location: Location{Header: "X-A"}, Absent: true}}
	form := []Condition{{Location: Location{Form: "a"}, Absent: true}}
	isForm := []string{"Content-Type", formType}
	for name, test := range map[string]struct {
		list    []Condition
		request *Request
		holds   bool
	}{
		"no header":            {header, post(""), true},
		"a header":             {header, post("", "X-A", "1"), false},
		"an empty header":      {header, post("", "X-A", ""), false},
		"two headers":          {header, post("", "X-A", "1", "X-A", "1"), false},
		"no parameter":         {query, get("y=1"), true},
		"an empty parameter":   {query, get("x="), false},
		"no field":             {form, post("b=1", isForm...), true},
		"a field":              {form, post("a", isForm...), false},
		"no member":            {json("/a"), post(`{"b":1}`), true},
		"a null":               {json("/a"), post(`{"a":null}`), false},
		"an object":            {json("/a"), post(`{"a":{}}`), false},
		"no second element":    {json("/a/1"), post(`{"a":[{}]}`), true},
		"a second element":     {json("/a/1"), post(`{"a":[{},{}]}`), false},
		"members of no object": {json("/a"), post("text"), true},
	} {
		c := &compiler{}
		list := c.conditions("when", test.list, false)
		if holds, rejection := list.satisfiedBy(test.request, nil); holds != test.holds || rejection != nil || len(c.errs) > 0 {
			t.Errorf("%s: %v, %v, want %v", name, holds, rejection, test.holds)
		}
	}
}

// TestOptionalParameters: a condition on what the endpoint doesn't give holds.
func TestOptionalParameters(t *testing.T) {
	c := &compiler{parameters: []Parameter{{Name: "token"}}}
	list := c.conditions("guard", []Condition{{Location: Location{Query: "token"}, Parameter: "token", Optional: true}}, false)
	for query, holds := range map[string]map[string]bool{
		"":        {"": true, "t": false},
		"token=t": {"": true, "t": true},
		"token=x": {"": true, "t": false},
	} {
		for value, want := range holds {
			p := Parameters{}
			if value != "" {
				p = parametersOf("token", value)
			}
			if got, _ := list.satisfiedBy(get(query), p); got != want {
				t.Errorf("?%s with the parameter %q: %v, want %v", query, value, got, want)
			}
		}
	}
}

// TestParametersAreJudgedLast: a stranger can't find out which values are allowed.
func TestParametersAreJudgedLast(t *testing.T) {
	p := githubLike
	p.Parameters = []Parameter{{Name: "topics", Required: true}}
	p.Schemes = []Scheme{githubLike.Schemes[0]}
	p.Schemes[0].Require = []Condition{{Location: Location{JSON: "/topic"}, Parameter: "topics"}, {Location: Location{Header: "X-Version"}, Equals: "1"}}
	v := compiledProvider(t, p)
	material := keysOf(testSecret)
	material.Parameters = parametersOf("topics", "ours")
	for _, test := range []struct {
		topic, key, version string
		want                Reason
	}{
		{"ours", testSecret, "1", ""},
		{"theirs", testSecret, "1", PreconditionFailed},
		{"ours", "forged", "1", WrongSignature},
		{"theirs", "forged", "1", WrongSignature},
		{"theirs", "forged", "2", PreconditionFailed}, // which everybody may know
	} {
		body := `{"topic":"` + test.topic + `"}`
		r := post(body, "X-Hub-Signature-256", "sha256="+hexOf(hmacOf(test.key, body)), "X-Version", test.version)
		if _, err := v.Verify(r, material, now); reasonOf(t, err) != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
	p.Schemes[0].When = []Condition{{Location: Location{JSON: "/topic"}, Parameter: "topics"}}
	if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), "schemes[0].when: must not use a parameter") {
		t.Errorf("a parameter before the signature: %v", err)
	}
}

// TestDeliveryMethods: a scheme judges what comes by its methods, and a signed handshake by
// another one is no event.
func TestDeliveryMethods(t *testing.T) {
	scheme := func(name string, methods ...string) Scheme {
		s := githubLike.Schemes[0]
		s.Name, s.Methods = name, methods
		return s
	}
	p := Provider{Name: "p", Schemes: []Scheme{scheme("read", "GET", "HEAD"), scheme("write", "PUT", "POST")}, Identity: githubLike.Identity}
	p.Handshakes = []Handshake{{Name: "hello", Method: "OPTIONS", Match: []Condition{{Location: Location{Header: "X-Hello"}}}, Answer: answerText("hi")}}
	v := compiledProvider(t, p)
	if diff := cmp.Diff([]string{"GET", "HEAD", "OPTIONS", "POST", "PUT"}, v.Methods()); diff != "" {
		t.Error(diff)
	}
	for method, test := range map[string]struct {
		scheme   string
		reason   Reason
		delivers bool
	}{
		"GET": {"read", "", true}, "HEAD": {"read", "", true}, "POST": {"write", "", true}, "PUT": {"write", "", true},
		"DELETE": {"", MissingSignature, false}, "OPTIONS": {"read", MalformedHandshake, true},
	} {
		r := post("", "X-Hub-Signature-256", "sha256="+hexOf(hmacOf(testSecret, "")))
		r.Method = method
		verdict, err := v.Verify(r, keysOf(testSecret), now)
		if err == nil {
			_, err = v.Handshake(r, keysOf(testSecret), &verdict)
		}
		if verdict.Scheme != test.scheme || reasonOf(t, err) != test.reason || v.Delivers(method) != test.delivers {
			t.Errorf("%s: %q, %v, %v", method, verdict.Scheme, err, v.Delivers(method))
		}
	}
	p.Schemes[1].Methods = []string{"GET"}
	if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), "never reached") {
		t.Errorf("a scheme without a method of its own: %v", err)
	}
	p.Schemes[1].Methods = []string{"OPTIONS"}
	if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), `schemes[1].methods: "OPTIONS" must be one of`) {
		t.Errorf("events by OPTIONS: %v", err)
	}
}

// TestWhen: two schemes with the same place are told apart by their conditions,
// and never by what would succeed.
func TestWhen(t *testing.T) {
	version := func(text string) []Condition {
		return []Condition{{Location: Location{Header: "X-Version"}, Equals: text}}
	}
	p := Provider{Name: "versions", Identity: Identity{ID: []string{"{body_sha256}"}}}
	for _, name := range []string{"v2", "v1"} {
		p.Schemes = append(p.Schemes, Scheme{
			Name: name, When: version(name), Algorithm: HMACSHA256, Content: name + "{body}",
			Signature: Signature{From: []Location{{Header: "X-Signature"}}, Encoding: Hex},
		})
	}
	v := compiledProvider(t, p)
	signed := func(content, version string) *Request {
		return post("b", "X-Signature", hexOf(hmacOf(testSecret, content)), "X-Version", version)
	}
	for name, test := range map[string]struct {
		request *Request
		scheme  string
		reason  Reason
	}{
		"v1":                  {signed("v1b", "v1"), "v1", ""},
		"v2":                  {signed("v2b", "v2"), "v2", ""},
		"v1 that says v2":     {signed("v1b", "v2"), "", WrongSignature},
		"neither":             {signed("v1b", "v3"), "", MissingSignature},
		"no version":          {post("b", "X-Signature", hexOf(hmacOf(testSecret, "v1b"))), "", MissingSignature},
		"both versions":       {post("b", "X-Signature", "00", "X-Version", "v1", "X-Version", "v2"), "", DuplicateHeader},
		"v1 with other cases": {signed("v1b", "V1"), "", MissingSignature},
	} {
		verdict, err := v.Verify(test.request, keysOf(testSecret), now)
		if verdict.Scheme != test.scheme || reasonOf(t, err) != test.reason {
			t.Errorf("%s: %q, %v; want %q, %q", name, verdict.Scheme, err, test.scheme, test.reason)
		}
	}
	p.Schemes[0].When = nil
	if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), "never reached") {
		t.Errorf("a scheme that is never reached: %v", err)
	}
}
