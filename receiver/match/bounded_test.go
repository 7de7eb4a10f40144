package match

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// allocated is how much memory a function asks for.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// live is how much memory what a function returns takes.
func live(f func() any) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	value := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(value)
	return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
}

// A call that would make something huge is given up before it, not after.
func TestNoCallTakesMuchMemory(t *testing.T) {
	body := jsonEvent(`{"s":"` + strings.Repeat("a", 900_000) + `","n":1}`)
	// A regular expression whose program is large.
	pattern := jsonEvent(`{"s":"` + strings.Repeat("(ab|cd)+x|", 100_000) + `"}`)
	list := strings.TrimSuffix(strings.Repeat("s,", 800), ",")
	for name, test := range map[string]struct {
		event      *Event
		expression string
	}{
		"replace":         {body, fmt.Sprintf("event.body.s.replace('', '%s') == ''", strings.Repeat("x", 1900))},
		"replace n":       {body, fmt.Sprintf("event.body.s.replace('', '%s', 500000) == ''", strings.Repeat("x", 1800))},
		"join":            {body, "[event.body.s].exists(s, [" + list + "].join() == '')"},
		"join with":       {body, "['a','b','c','d','e','f','g','h','i','j','k','l','m','n','o','p','q','r','s','t'].join(event.body.s) == ''"},
		"format":          {body, "[event.body.s].exists(s, '" + strings.Repeat("%s", 300) + "'.format([" + list[:600] + "]) == '')"},
		"format of lists": {body, "[event.body.s].exists(s, '%s'.format([[" + list + "]]) == '')"},
		"matches":         {pattern, "'a'.matches(event.body.s)"},
	} {
		m, err := Compile(Rule{Expression: test.expression})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := m.Match(test.event); !errors.Is(err, ErrCost) { // which parses the body
			t.Errorf("%s: the error is %v, want ErrCost", name, err)
		}
		took := allocated(func() { _, _ = m.Match(test.event) })
		if took > 16<<20 {
			t.Errorf("%s: %d MiB were taken", name, took>>20)
		}
	}
}

// What is bounded works as it did.
func TestBoundedFunctionsWork(t *testing.T) {
	for _, expression := range []string{
		`'aba'.replace('a', 'xyz') == 'xyzbxyz'`,
		`'aba'.replace('a', '', 1) == 'ba'`,
		`'aba'.replace('a', 'x', -1) == 'xbx'`,
		`'aba'.replace('', '-') == '-a-b-a-'`,
		`['a', 'b'].join() == 'ab' && ['a', 'b'].join(', ') == 'a, b' && [].join() == ''`,
		`event.body.list.join('+') == 'a+b'`,
		`'%s is %.2f and %d'.format(['x', 1.5, 3]) == 'x is 1.50 and 3'`,
		`'%s'.format([event.body.list]) != ''`,
		`'hello'.matches('^h.*o$') && !'hello'.matches('^x') && matches('hello', 'l+')`,
		`'hello'.matches(event.body.pattern)`,
		`event.body.word.matches('[a-z]+') && event.body.word.matches('[a-z' + ']+')`,
		`'a,b'.split(',') == ['a', 'b'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']`,
		`'Hello'.lowerAscii() == 'hello' && 'Hello'.upperAscii() == 'HELLO' && ' a '.trim() == 'a' && 'abc'.reverse() == 'cba'`,
		`'hello'.charAt(1) == 'e' && 'hello'.indexOf('l') == 2 && 'hello'.lastIndexOf('l') == 3 && 'hello'.substring(1, 3) == 'el'`,
		`'hello'.indexOf('l', 3) == 3 && 'hello'.lastIndexOf('l', 2) == 2 && 'hello'.substring(3) == 'lo' && strings.quote('a') == '"a"'`,
		`dyn('aba').replace('a', 'x') == 'xbx'`,
	} {
		m, err := Compile(Rule{Expression: expression})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		event := jsonEvent(`{"list":["a","b"],"pattern":"l{2}","word":"word"}`)
		if matched, err := m.Match(event); !matched || err != nil {
			t.Errorf("%s: %v, %v", expression, matched, err)
		}
	}
	for _, expression := range []string{`'a'.matches('(')`, `event.body.word.matches(event.body.list)`, `'a'.matches(event.body.open)`} {
		m, err := Compile(Rule{Expression: expression})
		if err != nil {
			continue // it is a constant
		}
		if matched, err := m.Match(jsonEvent(`{"word":"a","list":[],"open":"("}`)); matched || err != nil {
			t.Errorf("%s: %v, %v", expression, matched, err)
		}
	}
}

// The estimate of what JSON takes is never too low, whatever its shape.
func TestParsedBytesIsAnUpperBound(t *testing.T) {
	const n = 20_000
	repeat := func(element string) string { return "[" + strings.Repeat(element+",", n) + element + "]" }
	members := func(format string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	for name, text := range map[string]string{
		"numbers": repeat("1"), "large numbers": repeat("9007199254740993"), "fractions": repeat("1.5"),
		"empty objects": repeat("{}"), "empty lists": repeat("[]"), "empty texts": repeat(`""`), "texts": repeat(`"abcdefgh"`),
		"small objects": repeat(`{"a":1}`), "objects of eight": repeat(`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1}`),
		"objects of nine": repeat(`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}`), "lists of one": repeat("[1]"),
		"members": members(`"%d":1`), "members of objects": members(`"%d":{"a":""}`), "nulls": repeat("null"),
		"one text": `"` + strings.Repeat("a", 1<<20) + `"`, "escapes": `"` + strings.Repeat(`\u00e4`, 1<<18) + `"`,
		"depth": strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000), "lists in lists": strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s: no JSON", name)
		}
		document := []byte(text)
		took := live(func() any {
			value, err := parseJSON(document)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return value
		})
		if estimate := parsedBytes(document); took > uint64(estimate) {
			t.Errorf("%s: %d bytes of JSON take %d, the estimate is %d", name, len(document), took, estimate)
		}
	}
}

// JSON for which there is no memory can't be read, and it is not parsed to find out.
func TestJSONIsParsedWithinItsMemory(t *testing.T) {
	m, err := Compile(Rule{Expression: "event.body.a == 1"})
	if err != nil {
		t.Fatal(err)
	}
	var asked int64
	room := true
	event := func(document string) *Event {
		return &Event{Body: func() Body {
			return Body{Document: []byte(document), Reserve: func(n int64) bool { asked += n; return room }}
		}}
	}
	const small = `{"a":1}`
	if matched, err := m.Match(event(small)); !matched || err != nil || asked != parsedBytes([]byte(small)) {
		t.Errorf("with memory: %v, %v, %d bytes were asked for", matched, err, asked)
	}
	room = false
	if _, err := m.Match(event(small)); !errors.Is(err, ErrUnknown) {
		t.Errorf("without memory the error is %v", err)
	}
	asked, room = 0, true
	large := event(`{"a":1,"b":[` + strings.Repeat(`{},`, maxParsed/objectBytes) + `{}]}`)
	took := allocated(func() { _, err = m.Match(large) })
	if !errors.Is(err, ErrUnknown) || asked != 0 || took > 1<<20 {
		t.Errorf("beyond the most there may be: %v, %d bytes were asked for and %d taken", err, asked, took)
	}
	if matched, err := m.Match(event(`{"a":1,"b":"` + strings.Repeat("b", 7<<20) + `"}`)); !matched || err != nil {
		t.Errorf("a long text: %v, %v", matched, err)
	}
}
