package verify

import (
	"strings"
	"testing"

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
			holds, rejection := list.hold(get(test.query), topics)
			var reason Reason
			if rejection != nil {
				reason = rejection.Reason
			}
			if holds != test.holds || reason != test.reason {
				t.Errorf("%v, %q; want %v, %q", holds, reason, test.holds, test.reason)
			}
			if holds, _ := list.hold(get(test.query), nil); holds && test.list != nil && test.list[0].Parameter != "" {
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
