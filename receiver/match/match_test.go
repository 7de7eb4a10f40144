package match

import (
	"errors"
	"net/http"
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
		ID: "evt_1", Type: "invoice.paid", Provider: "stripe", Body: []byte(body),
		Header: http.Header{"Content-Type": {"application/json"}, "X-Tenant": {"a", "b"}},
	}
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
	form := &Event{Type: "sms", Body: []byte("To=%2B49&Body=hello&To=2"), Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}}
	for _, test := range []struct {
		expression string
		event      *Event
		want       bool
	}{
		{`event.body.livemode == true`, jsonEvent(`{"livemode":true}`), true},
		{`event.body.livemode == true`, jsonEvent(`{"livemode":false}`), false},
		{`event.body.livemode == true`, jsonEvent(`{"livemode":"true"}`), false},
		{`event.body.livemode == true`, jsonEvent(`{}`), false},
		{`event.body.livemode == true`, jsonEvent(`not JSON`), false},
		{`event.body.livemode == true`, jsonEvent(`{"livemode":true} trailing`), false},
		{`event.body.livemode`, jsonEvent(`{"livemode":true}`), true},
		{`event.body.livemode`, jsonEvent(`{"livemode":1}`), false},
		{`has(event.body.a) && event.body.a > 10`, jsonEvent(`{"a":10.5}`), true},
		{`event.body.id == 9007199254740993`, jsonEvent(`{"id":9007199254740993}`), true},
		{`event.body.id == 9007199254740993`, jsonEvent(`{"id":9007199254740992}`), false},
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
			t.Errorf("%s on %s: %v, %v, want %v", test.expression, test.event.Body, got, err, test.want)
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
		if _, err := m.Match(&Event{Type: eventType, Body: body}); err != nil && !errors.Is(err, ErrCost) {
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
