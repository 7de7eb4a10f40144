package intake

import (
	"bytes"
	"compress/gzip"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/route"
)

// withRoutes leads events to targets of their own; each route has its name and
// expression.
func withRoutes(expressions ...string) func(*route.Route) {
	return func(r *route.Route) {
		for i := 0; i < len(expressions); i += 2 {
			r.Routes = append(r.Routes, route.EventRoute{
				Name: expressions[i], Match: match.Rule{Expression: expressions[i+1]}, Target: r.Target,
			})
		}
	}
}

func TestEventGoesToEveryRouteThatMatches(t *testing.T) {
	g := newGate(t, withRoutes("paid", "event.type == 'invoice.paid'", "large", "event.body.amount > 1000", "mine", "event.headers['x-id'] == '3' && event.provider == 'example'"))
	for _, test := range []struct {
		id, body string
		want     []string
	}{
		{"1", `{"amount":1}`, []string{"paid"}},
		{"2", `{"amount":5000}`, []string{"paid", "large"}},
		{"3", `{"amount":5000}`, []string{"paid", "large", "mine"}},
	} {
		if got := g.post(test.id, test.body); got.StatusCode != http.StatusOK || got.Status != "accepted" {
			t.Fatalf("the answer to %s is %d %q", test.id, got.StatusCode, got.Status)
		}
		if got := g.options[len(g.options)-1].Targets; !slices.Equal(got, test.want) {
			t.Errorf("event %s goes to %q, want %q", test.id, got, test.want)
		}
	}
}

func TestTargetTakesWhatNoRouteMatches(t *testing.T) {
	g := newGate(t, withRoutes("large", "event.body.amount > 1000"))
	for _, body := range []string{`{"amount":1}`, `{}`, `no JSON`} {
		g.post(body, body)
		if got := g.options[len(g.options)-1].Targets; !slices.Equal(got, []string{""}) {
			t.Errorf("%s goes to %q", body, got)
		}
	}
}

func TestEventThatNothingWantsIsIgnored(t *testing.T) {
	g := newGate(t, func(r *route.Route) {
		withRoutes("large", "event.body.amount > 1000")(r)
		r.Target = route.Target{}
	})
	for range 2 { // it is not remembered, so the second is none that was seen before
		got := g.post("1", `{"amount":1}`)
		if got.StatusCode != http.StatusOK || got.Status != "ignored" || got.EventID != "1" {
			t.Errorf("the answer is %d %+v", got.StatusCode, got)
		}
		record := g.record()
		if record.Status != audit.Ignored || !record.SignatureVerified || record.EventID != "1" || record.ErrorMessage != "" {
			t.Errorf("the record is %+v", record)
		}
	}
	if got := g.post("1", `{"amount":1001}`); got.Status != "accepted" {
		t.Errorf("once a route wants it, the answer is %q", got.Status)
	}
	if stored := g.stored(); len(stored) != 1 || string(stored[0].Body) != `{"amount":1001}` {
		t.Errorf("%d events are stored", len(stored))
	}
}

func TestIgnoredEventGetsTheAnswerOfTheProvider(t *testing.T) {
	g := newGate(t, func(r *route.Route) {
		withRoutes("none", "false")(r)
		r.Target = route.Target{}
		r.Responses.Success = &route.Response{Status: http.StatusAccepted, Body: "[accepted]"}
	})
	response, text := g.raw(http.MethodPost, testPath, signed("1", []byte("{}")), "{}")
	if response.StatusCode != http.StatusAccepted || text != "[accepted]" {
		t.Errorf("the answer is %d %q", response.StatusCode, text)
	}
	if record := g.record(); record.Status != audit.Ignored {
		t.Errorf("the record is %+v", record)
	}
}

func TestEventThatCostsTooMuchToAssignIsNotDropped(t *testing.T) {
	g := newGate(t, withRoutes("dear", "event.body.all(a, event.body.all(b, event.body.all(c, a == b || a == c)))"))
	got := g.post("1", "["+strings.Repeat("1,", 999)+"1]")
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("the answer is %d, Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
	record := g.record()
	if record.Status != audit.Unavailable || !strings.Contains(record.ErrorMessage, "routes[dear]: the expression costs too much") {
		t.Errorf("the record is %+v", record)
	}
	if len(g.stored()) != 0 {
		t.Error("the event is stored")
	}
}

// Whoever can't sign can't make expressions be evaluated.
func TestForgedEventIsAssignedToNothing(t *testing.T) {
	g := newGate(t, func(r *route.Route) {
		withRoutes("none", "false")(r)
		r.Target = route.Target{}
	})
	header := signed("1", []byte("something else"))
	if got := g.send(http.MethodPost, testPath, header, strings.NewReader("{}")); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("the answer is %d", got.StatusCode)
	}
}

// TestWhatExpressionsCannotRead is not taken for what they don't ask for: the event
// goes to the target that gets the rest, or is put off.
func TestWhatExpressionsCannotRead(t *testing.T) {
	const isOne = "event.body.a == 1"
	const multipart = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\n" +
		"Content-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n{\r\n--b--\r\n"
	for name, test := range map[string]struct {
		hasTarget bool
		routes    []string
		body      string
		header    http.Header
		want      []string
		unsure    bool
	}{
		"no target":               {false, []string{"one", isOne}, "text", nil, nil, true},
		"a target":                {true, []string{"one", isOne}, "text", nil, []string{""}, true},
		"a route that is sure":    {false, []string{"one", isOne, "all", "true"}, "text", nil, []string{"all"}, true},
		"both":                    {true, []string{"one", isOne, "all", "true"}, "text", nil, []string{"all", ""}, true},
		"a broken form":           {false, []string{"one", isOne}, "a=%zz", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, nil, true},
		"an encoding":             {false, []string{"one", isOne}, "text", http.Header{"Content-Encoding": {"br"}}, nil, true},
		"a broken encoding":       {false, []string{"one", isOne}, `{"a":1}`, http.Header{"Content-Encoding": {"gzip"}}, nil, true},
		"a compressed body":       {false, []string{"one", isOne}, compressed(`{"a":1}`), http.Header{"Content-Encoding": {"gzip"}}, []string{"one"}, false},
		"a form with files":       {false, []string{"one", "event.body.a == '1'"}, multipart, http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, []string{"one"}, false},
		"a byte order mark":       {false, []string{"one", isOne}, "\ufeff{\"a\":1}", nil, []string{"one"}, false},
		"JSON of another type":    {false, []string{"one", isOne}, `{"a":1}`, http.Header{"Content-Type": {"text/plain"}}, []string{"one"}, false},
		"JSON called a form":      {false, []string{"one", isOne}, `{"a":1}`, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []string{"one"}, false},
		"what is not asked for":   {false, []string{"one", "event.type == 'invoice.paid'"}, "text", nil, []string{"one"}, false},
		"what need not be asked":  {true, []string{"one", "event.type == 'x' && " + isOne, "all", "true"}, "text", nil, []string{"all"}, false},
		"a field that is JSON":    {false, []string{"one", "event.body.payload.a == 1"}, "payload=%7B%22a%22%3A1%7D", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []string{"one"}, false},
		"a field that should be":  {false, []string{"one", "event.body.payload.a == 1"}, "payload=%7B", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, nil, true},
		"a field that is missing": {true, []string{"one", "event.body.payload.a == 1"}, "x=1", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []string{""}, false},
		"no body":                 {true, []string{"one", isOne, "none", "event.body == null"}, "", nil, []string{"none"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(r *route.Route) {
				withRoutes(test.routes...)(r)
				r.Provider.JSONFormFields = []string{"payload"}
				if !test.hasTarget {
					r.Target = route.Target{}
				}
			})
			header := signed("1", []byte(test.body))
			maps.Copy(header, test.header)
			got := g.send(http.MethodPost, testPath, header, strings.NewReader(test.body))
			record := g.record()
			if test.unsure != strings.Contains(record.ErrorMessage, "routes[one]: the expression asks for what can't be read") {
				t.Errorf("the audit says %q", record.ErrorMessage)
			}
			if test.want == nil {
				if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || !strings.Contains(got.Error, "can't be read") {
					t.Errorf("the answer is %d %q, Retry-After %q", got.StatusCode, got.Error, got.Header.Get("Retry-After"))
				}
				if record.Status != audit.Unavailable || len(g.stored()) != 0 {
					t.Errorf("the record is %+v, %d events are stored", record, len(g.stored()))
				}
				return
			}
			if got.StatusCode != http.StatusOK || got.Status != "accepted" || len(g.stored()) != 1 {
				t.Fatalf("the answer is %d %+v", got.StatusCode, got)
			}
			if targets := g.options[0].Targets; !slices.Equal(targets, test.want) || string(g.stored()[0].Body) != test.body {
				t.Errorf("%q goes to %q, want %q", g.stored()[0].Body, targets, test.want)
			}
		})
	}
}

// TestBatchGoesToTheRouteOfEachOfItsTypes, and one that has too many to every route.
func TestBatchGoesToTheRouteOfEachOfItsTypes(t *testing.T) {
	batch := func(types ...string) string { return `[{"event":"` + strings.Join(types, `"},{"event":"`) + `"}]` }
	var many []string
	for i := range 65 {
		many = append(many, "t"+strconv.Itoa(i))
	}
	g := newGate(t, func(r *route.Route) {
		r.Provider.Identity.Type = []string{"{json:/*/event}"}
		for name, rule := range map[string]match.Rule{
			"bounces": {Types: []string{"bounce"}}, "opens": {Types: []string{"op*"}}, "clicks": {Expression: "'click' in event.types"},
		} {
			r.Routes = append(r.Routes, route.EventRoute{Name: name, Match: rule, Target: r.Target})
		}
	})
	for i, test := range []struct {
		body, kind string
		want       []string
	}{
		{batch("bounce", "open"), "bounce,open", []string{"bounces", "opens"}},
		{batch("open", "open"), "open", []string{"opens"}},
		{batch("click", "bounce"), "click,bounce", []string{"bounces", "clicks"}},
		{batch("spam"), "spam", []string{""}},
		{batch(many...), strings.Join(many[:64], ",") + ",…", []string{"", "bounces", "opens"}},
	} {
		if got := g.post(strconv.Itoa(i), test.body); got.StatusCode != http.StatusOK {
			t.Fatalf("the answer is %d %+v", got.StatusCode, got)
		}
		targets := slices.Sorted(slices.Values(g.options[i].Targets))
		if !slices.Equal(targets, test.want) {
			t.Errorf("%s goes to %q, want %q", test.kind, targets, test.want)
		}
		if kind := g.stored()[i].Type; kind != test.kind {
			t.Errorf("the type is %q, want %q", kind, test.kind)
		}
	}
}

// compressed is a text in the content coding gzip.
func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

// TestLackOfMemoryIsNotTheEventsFault: what can't be decoded for lack of memory goes
// nowhere, and comes again.
func TestLackOfMemoryIsNotTheEventsFault(t *testing.T) {
	for name, change := range map[string]func(*route.Route){
		"a route": withRoutes("one", "event.body.a == 1"),
		"an id":   func(r *route.Route) { r.Provider.Identity.ID = []string{"{json:/a}"} },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, change)
			body := compressed(`{"a":1,"b":"` + strings.Repeat("b", 1<<20) + `"}`)
			header := signed("1", []byte(body))
			header["Content-Encoding"] = []string{"gzip"}
			g.handler.memory.large.size = 64 << 10
			got := g.send(http.MethodPost, testPath, header, strings.NewReader(body))
			if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "2" || !strings.Contains(got.Error, "in flight") {
				t.Errorf("the answer is %d %q, Retry-After %q", got.StatusCode, got.Error, got.Header.Get("Retry-After"))
			}
			g.handler.memory.large.size = largeBytes
			header["X-Id"] = []string{"1"}
			if got := g.send(http.MethodPost, testPath, header, strings.NewReader(body)); got.StatusCode != http.StatusOK {
				t.Errorf("the answer with memory is %d %q", got.StatusCode, got.Error)
			}
		})
	}
}

// TestParsingTakesFromTheBudget: JSON takes many times its length once it is parsed. For
// lack of that memory the event comes again; what would never fit can't be read.
func TestParsingTakesFromTheBudget(t *testing.T) {
	g := newGate(t, func(r *route.Route) {
		withRoutes("one", "event.body.a == 1")(r)
		r.Target = route.Target{}
		r.Limits.MaxBodyBytes = 2 << 20
	})
	objects := func(n int) string { return `{"a":1,"b":[` + strings.Repeat(`{"c":1},`, n) + `{}]}` }
	g.handler.memory.large.size = 1 << 20
	if got := g.post("1", objects(5000)); got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got.Error, "in flight") {
		t.Errorf("the answer without memory is %d %q", got.StatusCode, got.Error)
	}
	g.handler.memory.large.size = largeBytes
	if got := g.post("1", objects(5000)); got.StatusCode != http.StatusOK || got.Status != "accepted" {
		t.Errorf("the answer with memory is %d %q", got.StatusCode, got.Error)
	}
	if got := g.post("2", objects(200_000)); got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got.Error, "can't be read") {
		t.Errorf("the answer to a huge document is %d %q", got.StatusCode, got.Error)
	}
	if left := g.handler.memory.large.used; left != 0 {
		t.Errorf("%d bytes are still taken", left)
	}
}
