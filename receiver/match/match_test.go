package match

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, eventType string
		want               bool
	}{
		{"*", "", true},
		{"*", "anything", true},
		{"invoice.paid", "invoice.paid", true},
		{"invoice.paid", "invoice.paid.late", false},
		{"invoice.paid", "Invoice.paid", false},
		{"invoice.*", "invoice.paid", true},
		{"invoice.*", "invoice.", true},
		{"invoice.*", "invoice", false},
		{"*.created", "a.b.created", true},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"*a*a*a*", strings.Repeat("ab", 3), true},
		{"*a*a*a*", "aba", false},
		{"**", "x", true},
		{"a?c", "abc", false},
	} {
		p, err := parsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.match(test.eventType); got != test.want {
			t.Errorf("%q matches %q: %v, want %v", test.pattern, test.eventType, got, test.want)
		}
	}
}

func jsonEvent(body string) *Event {
	return &Event{
		ID: "evt_1", Type: "invoice.paid", Provider: "stripe", Body: func() Body { return Body{Document: []byte(body)} },
		Header: http.Header{"Content-Type": {"application/json"}, "X-Tenant": {"a", "b"}},
	}
}

// formEvent is an event with a form, of which a field is JSON.
func formEvent(body string) *Event {
	form, err := url.ParseQuery(body)
	if err != nil {
		panic(err)
	}
	return &Event{Type: "sms", Body: func() Body {
		return Body{Document: []byte(body), Form: form, JSONFields: []string{"payload", "missing"}}
	}}
}

func TestTypes(t *testing.T) {
	types, err := ParseTypes([]string{"push", "invoice.*"})
	if err != nil || !types.Match("push") || !types.Match("invoice.paid") || types.Match("pull") || types.Match("") {
		t.Errorf("%v, %v matches what it should not, or not what it should", types, err)
	}
	if all, err := ParseTypes(nil); err != nil || !all.Match("push") || !all.Match("") {
		t.Errorf("no patterns: %v, want that all types fit", err)
	}
	for _, wrong := range [][]string{{"push", ""}, make([]string, maxTypes+1), {strings.Repeat("x", maxPattern+1)}} {
		if _, err := ParseTypes(wrong); err == nil || !strings.Contains(err.Error(), "types") {
			t.Errorf("%d patterns: got %v", len(wrong), err)
		}
	}
}

func TestExpressions(t *testing.T) {
	form := formEvent("To=%2B49&Body=hello&To=2")
	for _, test := range []struct {
		expression string
		event      *Event
		want       bool
	}{
		{`event.body.livemode == true`, jsonEvent(`{"livemode":true}`), true},
		{`event.body.livemode == true`, jsonEvent(`{"livemode":false}`), false},
		{`event.body.livemode == true`, jsonEvent(`{"livemode":"true"}`), false},
		{`event.body.livemode == true`, jsonEvent(`{}`), false},
		{`event.body.livemode`, jsonEvent(`{"livemode":true}`), true},
		{`event.body.livemode`, jsonEvent(`{"livemode":1}`), false},
		{`has(event.body.a) && event.body.a > 10`, jsonEvent(`{"a":10.5}`), true},
		{`event.body.id == 9007199254740993`, jsonEvent(`{"id":9007199254740993}`), true},
		{`event.body.id == 9007199254740993`, jsonEvent(`{"id":9007199254740992}`), false},
		{`event.body.id == 1000`, jsonEvent(`{"id":1e3}`), true},
		{`event.body.id == 1`, jsonEvent(`{"id":1.0}`), true},
		{`event.body.items.exists(i, i.sku.startsWith('x-'))`, jsonEvent(`{"items":[{"sku":"a"},{"sku":"x-1"}]}`), true},
		{`event.body[0].name == 'a'`, jsonEvent(`[{"name":"a"}]`), true},
		{`event.type == 'invoice.paid' && event.id != '' && event.provider == 'stripe'`, jsonEvent(`{}`), true},
		{`event.headers['x-tenant'] == 'a, b'`, jsonEvent(`{}`), true},
		{`event.headers['x-missing'] == 'a'`, jsonEvent(`{}`), false},
		{`'x-missing' in event.headers`, jsonEvent(`{}`), false},
		{`event.body.To == '+49' && event.body.Body.contains('ell')`, form, true},
	} {
		m, err := Compile(Rule{Expression: test.expression})
		if err != nil {
			t.Errorf("%s: %v", test.expression, err)
			continue
		}
		got, err := m.Match(test.event)
		if err != nil || got != test.want {
			t.Errorf("%s on %s: %v, %v, want %v", test.expression, test.event.Body().Document, got, err, test.want)
		}
	}
}

// TestBodies: what can't be read is not taken for something that an expression
// doesn't ask for. ErrUnknown stands for that.
func TestBodies(t *testing.T) {
	const isOne = `event.body.a == 1`
	plain := func(body Body) *Event { return &Event{Type: "t", Body: func() Body { return body }} }
	field := func(text string) *Event { return formEvent("a=1&payload=" + url.QueryEscape(text)) }
	type result struct {
		matches bool
		err     error
	}
	var (
		yes, no, unknown = result{true, nil}, result{false, nil}, result{false, ErrUnknown}
		document         = func(text string) *Event { return plain(Body{Document: []byte(text)}) }
	)
	for _, test := range []struct {
		expression string
		event      *Event
		want       result
	}{
		{isOne, document(`{"a":1}`), yes},
		{isOne, document("\ufeff{\"a\":1}"), yes},
		{isOne, document("\r\n {\"a\":1}\n"), yes},
		{isOne, document("\ufeff \ufeff{\"a\":1}"), unknown},
		{isOne, document(`{"a":1} trailing`), unknown},
		{isOne, document(`a=1`), unknown},
		{isOne, document(`<a>1</a>`), unknown},
		{isOne, document("\xff\xfe{\x00"), unknown},
		{isOne, document(""), no},
		{isOne, document("\ufeff \n"), no},
		{isOne, &Event{Type: "t"}, no},
		{`event.body == null`, document(""), yes},
		{`event.body == null`, &Event{Type: "t"}, yes},
		{`event.body == null`, document("text"), unknown},
		{isOne, plain(Body{Document: []byte(`{"a":1}`), Unreadable: true}), unknown},
		{isOne, plain(Body{Unreadable: true}), unknown},
		{isOne, plain(Body{Document: []byte(`{"a":1}`), Form: url.Values{`{"a":1}`: {""}}}), yes}, // a sender that names no type, and a client that does it then
		{`event.body['[a'] == '1'`, plain(Body{Document: []byte(`[a=1`), Form: url.Values{`[a`: {"1"}}}), yes},
		{`event.body == null`, plain(Body{Form: url.Values{}}), yes},

		// What is unknown decides only where nothing else does.
		{`event.type == 'x' && event.body.a == 1`, document("text"), no},
		{`event.type == 't' && event.body.a == 1`, document("text"), unknown},
		{`event.type == 't' || event.body.a == 1`, document("text"), yes},
		{`event.body.a == 1 || event.type == 't'`, document("text"), yes},
		{`!has(event.body.a)`, document("text"), unknown},
		{`!(event.body.a == 1)`, document("text"), unknown},
		{`event.body.all(x, x == 1)`, document("text"), unknown},
		{`[event].exists(e, e.body.a == 1)`, document("text"), unknown},
		{`dyn(event).body.a == 1`, document("text"), unknown},
		{`event.type == 't' ? true : event.body.a`, document("text"), yes},
		{`event.body.a ? true : true`, document("text"), unknown},
		{`event.type == 'body'`, document("text"), no},

		// Fields of a form that are JSON.
		{`event.body.payload.user.id == 'U1'`, field(`{"user":{"id":"U1"}}`), yes},
		{`event.body.payload.user.id == 'U1'`, field("\ufeff{\"user\":{\"id\":\"U1\"}}"), yes},
		{`event.body.payload.user.id == 'U1'`, field(`{"user":{"id":"U2"}}`), no},
		{`event.body.payload.user.id == 'U1'`, field(`{"user":`), unknown},
		{`event.body.payload == ''`, field(""), yes},
		{`event.body.payload.id == 1`, formEvent("a=1"), no},
		{`event.body.a == '1'`, field(`{"user":`), yes},
		{`event.body['a'] == '1' && event.body['pay' + 'load'].b`, field(`{"user":`), unknown},
		{`event.body.missing == 1`, field("1"), no},
	} {
		m, err := Compile(Rule{Expression: test.expression})
		if err != nil {
			t.Errorf("%s: %v", test.expression, err)
			continue
		}
		matches, err := m.Match(test.event)
		if (result{matches, err}) != test.want {
			t.Errorf("%s: %v, %v, want %v", test.expression, matches, err, test.want)
		}
	}
}

// TestBatches: a rule is for a batch if it is for one of its elements.
func TestBatches(t *testing.T) {
	batch := &Event{Type: "bounce,open", Types: []string{"bounce", "open"}}
	long := &Event{Type: "bounce,open,…", Types: []string{"bounce", "open"}, MoreTypes: true}
	cut := &Event{Type: "bounce,…", Types: []string{"bounce", "open"}}
	one := &Event{Type: "open", Types: []string{"open"}}
	for _, test := range []struct {
		rule  Rule
		event *Event
		want  bool
		err   error
	}{
		{Rule{Types: []string{"bounce"}}, batch, true, nil},
		{Rule{Types: []string{"x", "op*"}}, batch, true, nil},
		{Rule{Types: []string{"click"}}, batch, false, nil},
		{Rule{Types: []string{"bounce,open"}}, batch, false, nil},
		{Rule{Types: []string{"bounce,*"}}, batch, false, nil},
		{Rule{Types: []string{"*"}}, batch, true, nil},
		{Rule{Types: []string{"click"}}, long, true, nil},
		{Rule{Types: []string{"click"}}, cut, false, nil},
		{Rule{Types: []string{"open"}}, cut, true, nil},
		{Rule{Expression: "'bounce' in event.types"}, batch, true, nil},
		{Rule{Expression: "'click' in event.types"}, batch, false, nil},
		{Rule{Expression: "event.types == ['open']"}, one, true, nil},
		{Rule{Expression: "event.types == ['t']"}, &Event{Type: "t"}, true, nil},
		{Rule{Expression: "event.types == []"}, &Event{}, true, nil},
		{Rule{Expression: "event.type == 'bounce,open' && event.types.size() == 2"}, batch, true, nil},
		{Rule{Expression: "'open' in event.types"}, cut, true, nil},
		{Rule{Expression: "event.type.contains('open')"}, cut, false, ErrUnknown},
		{Rule{Expression: "'click' in event.types"}, long, false, ErrUnknown},
		{Rule{Expression: "event.type.contains('click')"}, long, false, ErrUnknown},
		{Rule{Expression: "event.id == ''"}, long, true, nil},
	} {
		m, err := Compile(test.rule)
		if err != nil {
			t.Fatal(err)
		}
		test.event.seen, test.event.unknown = nil, nil
		if got, err := m.Match(test.event); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%v on %q: %v, %v, want %v, %v", test.rule, test.event.Type, got, err, test.want, test.err)
		}
	}
}

// TestTypesOfWhatIsKept: of an event that is stored, only the text of its types is.
func TestTypesOfWhatIsKept(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"bounce", "bounce", true},
		{"bounce", "open,bounce", true},
		{"op*", "bounce,open,click", true},
		{"click", "bounce,open", false},
		{"bounce,open", "bounce,open", true}, // perhaps a type that has a comma
		{"*,open", "bounce,open", true},
		{"click", "bounce,open,…", true},
		{"click", "…", true},
		{"*", "", true},
		{"?*", "", false},
		{"a", "", false},
	} {
		types, err := ParseTypes([]string{test.pattern})
		if err != nil {
			t.Fatal(err)
		}
		if got := types.Match(test.text); got != test.want {
			t.Errorf("%q fits %q: %v", test.pattern, test.text, got)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for _, test := range []struct {
		rule Rule
		want string
	}{
		{Rule{Expression: `event.tpye == 'a'`}, "expression: 1:6: undefined field 'tpye'"},
		{Rule{Expression: "event.id == 'a' &&\n  nonsense"}, "expression: 2:3: undeclared reference to 'nonsense'"},
		{Rule{Expression: `event.id ==`}, "expression: 1:12: Syntax error"},
		{Rule{Expression: `event.id`}, "must be true or false, and it is string"},
		{Rule{Expression: `event.id == 1`}, "expression: 1:10: found no matching overload"},
		{Rule{Expression: strings.Repeat("true||", 400) + "true"}, "must not be longer than 2048 bytes"},
		{Rule{Expression: "a || b || c || d || e"}, "1:11: undeclared reference to 'c'; and 2 more"},
		{Rule{Types: []string{"a", ""}}, "types[1]: a pattern must not be empty"},
		{Rule{Types: []string{strings.Repeat("a", 257)}}, "types[0]: a pattern must not be longer than 256 bytes"},
		{Rule{Types: make([]string, 65)}, "types: there may be at most 64"},
	} {
		_, err := Compile(test.rule)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.rule, err, test.want)
		}
	}
}

// TestCostIsBounded: an expression that would take long is given up, and that
// is not taken for "does not match".
func TestCostIsBounded(t *testing.T) {
	m, err := Compile(Rule{Expression: `event.body.exists(a, event.body.exists(b, event.body.exists(c, a + b + c < 0)))`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Match(jsonEvent("[" + strings.Repeat("1,", 999) + "1]")); !errors.Is(err, ErrCost) {
		t.Errorf("the error is %v", err)
	}
	if matched, err := m.Match(jsonEvent("[1,2,-9]")); !matched || err != nil {
		t.Errorf("a small event: %v, %v", matched, err)
	}
}

// TestBodyIsReadForThoseWhoAsk, and once for all.
func TestBodyIsReadForThoseWhoAsk(t *testing.T) {
	e := jsonEvent(`{"a":1}`)
	for i, test := range []struct {
		expression string
		parsed     bool
	}{{"event.type != ''", false}, {"event.body.a == 1", true}, {"event.id != ''", true}} {
		m, err := Compile(Rule{Expression: test.expression})
		if err != nil {
			t.Fatal(err)
		}
		if matched, err := m.Match(e); !matched || err != nil || e.parsed != test.parsed {
			t.Errorf("%d: %v, %v, the body is parsed: %v", i, matched, err, e.parsed)
		}
	}
}

// TestBothPartsMustHold, and a rule without parts holds for every event.
func TestBothPartsMustHold(t *testing.T) {
	for _, test := range []struct {
		rule Rule
		want bool
	}{
		{Rule{}, true},
		{Rule{Types: []string{"x", "invoice.*"}}, true},
		{Rule{Types: []string{"x"}}, false},
		{Rule{Types: []string{"x"}, Expression: "true"}, false},
		{Rule{Types: []string{"invoice.*"}, Expression: "false"}, false},
		{Rule{Types: []string{"invoice.*"}, Expression: "true"}, true},
	} {
		m, err := Compile(test.rule)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Match(jsonEvent("{}")); got != test.want || err != nil {
			t.Errorf("%v: %v, %v", test.rule, got, err)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add(`invoice.*`, `event.body.a == 1`, "invoice.paid", []byte(`{"a":1}`))
	f.Add(`*`, `event.body.exists(x, x > 1)`, "", []byte(`[1,2.5,1e400]`))
	f.Fuzz(func(t *testing.T, types, expression, eventType string, body []byte) {
		m, err := Compile(Rule{Types: []string{types}, Expression: expression})
		if err != nil {
			return
		}
		e := &Event{Type: eventType, Body: func() Body { return Body{Document: body} }}
		if _, err := m.Match(e); err != nil && !errors.Is(err, ErrCost) && !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	m, err := Compile(Rule{Types: []string{"invoice.*"}, Expression: "event.body.livemode == true"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if matched, err := m.Match(jsonEvent(`{"livemode":true,"data":{"object":{"id":"in_1","amount":1200}}}`)); !matched || err != nil {
			b.Fatal(matched, err)
		}
	}
}
