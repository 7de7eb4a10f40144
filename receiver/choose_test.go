package receiver

import (
	"net/http"
	"slices"
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
