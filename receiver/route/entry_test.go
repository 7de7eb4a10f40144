package route

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/secret"
)

// entryOf is the entry of a route with those event routes.
func entryOf(t *testing.T, hasTarget bool, routes ...EventRoute) *Entry {
	t.Helper()
	r := testRoute("stripe")
	for i := range routes {
		routes[i].Target = r.Target
	}
	r.Routes = routes
	if !hasTarget {
		r.Target = Target{}
	}
	live := NewLive("cluster.local")
	live.Replace([]Object{testObject(t, r)})
	return live.Table().Endpoint(r.Endpoint.String())
}

func bodyOf(text string) func() match.Body {
	return func() match.Body { return match.Body{Document: []byte(text)} }
}

func TestChoose(t *testing.T) {
	routes := []EventRoute{
		{Name: "invoices", Match: match.Rule{Types: []string{"invoice.*"}}},
		{Name: "live", Match: match.Rule{Expression: "event.body.livemode"}},
	}
	for _, test := range []struct {
		hasTarget       bool
		routes          []EventRoute
		eventType, body string
		want            []string
	}{
		{true, nil, "invoice.paid", `{}`, []string{""}},
		{true, routes, "invoice.paid", `{"livemode":true}`, []string{"invoices", "live"}},
		{true, routes, "invoice.paid", `{}`, []string{"invoices"}},
		{true, routes, "charge.failed", `{"livemode":true}`, []string{"live"}},
		{true, routes, "charge.failed", `{}`, []string{""}},
		{false, routes, "charge.failed", `{}`, nil},
		{false, routes, "invoice.paid", `{}`, []string{"invoices"}},
	} {
		entry := entryOf(t, test.hasTarget, test.routes...)
		got, err := entry.Choose(&match.Event{Type: test.eventType, Body: bodyOf(test.body)})
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s %s goes to %q, %v, want %q", test.eventType, test.body, got, err, test.want)
		}
	}
}

func TestChooseNamesTheRouteThatCostsTooMuch(t *testing.T) {
	entry := entryOf(t, true,
		EventRoute{Name: "cheap", Match: match.Rule{Types: []string{"a"}}},
		EventRoute{Name: "dear", Match: match.Rule{Expression: "event.body.all(a, event.body.all(b, event.body.all(c, a == b || a == c)))"}})
	_, err := entry.Choose(&match.Event{Type: "a", Body: bodyOf("[" + strings.Repeat("1,", 999) + "1]")})
	if !errors.Is(err, match.ErrCost) || !strings.Contains(err.Error(), "routes[dear]") {
		t.Errorf("the error is %v", err)
	}
}

// TestChooseOfWhatCannotBeRead: the event goes where it is meant to go for sure, and
// to the target that gets the rest.
func TestChooseOfWhatCannotBeRead(t *testing.T) {
	routes := []EventRoute{
		{Name: "sms", Match: match.Rule{Types: []string{"sms"}}},
		{Name: "large", Match: match.Rule{Expression: "event.type != 'other' && event.body.amount > 10"}},
		{Name: "again", Match: match.Rule{Expression: "event.body.amount > 20"}},
	}
	for _, test := range []struct {
		hasTarget bool
		routes    []EventRoute
		eventType string
		want      []string
		unsure    string
	}{
		{true, routes, "sms", []string{"sms", ""}, "routes[large]: "},
		{false, routes, "sms", []string{"sms"}, "routes[large]: "},
		{true, routes, "mail", []string{""}, "routes[large]: "},
		{false, routes, "mail", nil, "routes[large]: "},
		{false, routes[:2], "other", nil, ""},
		{true, routes[:2], "other", []string{""}, ""},
	} {
		got, err := entryOf(t, test.hasTarget, test.routes...).Choose(&match.Event{Type: test.eventType, Body: bodyOf("text")})
		if errors.Is(err, match.ErrUnknown) != (test.unsure != "") || err != nil && !strings.Contains(err.Error(), test.unsure) || !slices.Equal(got, test.want) {
			t.Errorf("%s goes to %q, %v, want %q, %s", test.eventType, got, err, test.want, test.unsure)
		}
	}
}

func TestRouteThatCannotBeCompiledFailsClosed(t *testing.T) {
	entry := entryOf(t, true, EventRoute{Name: "new", Match: match.Rule{Expression: "event.color == 'red'"}})
	if entry.Invalid == nil || !strings.Contains(entry.Unavailable(), "routes[new].match.expression: 1:6:") {
		t.Errorf("the entry is not available because of %q", entry.Unavailable())
	}
}

func TestTargetOf(t *testing.T) {
	r := fullRoute()
	r.Routes[0].Target.Service = "invoicing"
	for name, want := range map[string]string{"": "billing-api", "invoices": "invoicing", "all": "billing-api"} {
		if target, ok := r.TargetOf(name); !ok || target.Service != want {
			t.Errorf("the target of %q is %q, %v", name, target.Service, ok)
		}
	}
	if target, ok := r.TargetOf("gone"); ok {
		t.Errorf("a route that is gone leads to %q", target.Service)
	}
	r.Target = Target{}
	if target, ok := r.TargetOf(""); ok {
		t.Errorf("a target that is gone is %q", target.Service)
	}
}

// TestKeysAreMadeReadyOnce: and those that end verify only until then.
func TestKeysAreMadeReadyOnce(t *testing.T) {
	r := testRoute("stripe")
	end := time.Now().Add(time.Hour)
	r.Keys = append(r.Keys, Key{Name: KeyName(len(r.Keys)), NotAfter: &end, Value: secret.New([]byte("the old one"))})
	entry, ok := newEntry(testObject(t, r), nil)
	if !ok || entry.Invalid != nil {
		t.Fatal(entry.Invalid)
	}
	before, after := entry.Material(end.Add(-time.Second)), entry.Material(end)
	if before.Keys == nil || before.Keys != after.Keys || len(before.Secrets) != len(after.Secrets)+1 {
		t.Errorf("%d and %d secrets, %v", len(before.Secrets), len(after.Secrets), before.Keys)
	}
}
