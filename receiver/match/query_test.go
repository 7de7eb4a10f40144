package match

import (
	"errors"
	"testing"
)

func TestExpressionsSeeTheQuery(t *testing.T) {
	event := &Event{ID: "1", Query: "order=42&order=43&n%61me=a+b%21&empty"}
	for expression, want := range map[string]bool{
		`event.query.order == '42'`:                             true, // the first
		`event.query['name'] == 'a b!'`:                         true,
		`event.query.empty == ''`:                               true,
		`event.query.missing == ''`:                             false,
		`has(event.query.order) && !has(event.query.missing)`:   true,
		`event.query.exists(name, event.query[name] == 'a b!')`: true,
	} {
		m, err := Compile(Rule{Expression: expression})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := m.Match(event); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", expression, got, err, want)
		}
	}
}

// A query that can't be read is not one without parameters.
func TestAQueryThatCantBeReadIsUnknown(t *testing.T) {
	event := &Event{ID: "1", Query: "order=42&bad=%zz"}
	for expression, want := range map[string]error{
		`event.query.order == '42'`:              ErrUnknown,
		`!has(event.query.bad)`:                  ErrUnknown,
		`event.id == '1'`:                        nil,
		`event.id == '2' && event.query.a == ''`: nil,
	} {
		m, err := Compile(Rule{Expression: expression})
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		if _, err := m.Match(event); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", expression, err, want)
		}
	}
}
