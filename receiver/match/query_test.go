package match

import "testing"

func TestExpressionsSeeTheQuery(t *testing.T) {
	event := &Event{ID: "1", Query: "order=42&order=43&n%61me=a+b%21&empty&bad=%zz"}
	for expression, want := range map[string]bool{
		`event.query.order == '42'`:                             true, // the first
		`event.query['name'] == 'a b!'`:                         true,
		`event.query.empty == ''`:                               true,
		`'bad' in event.query`:                                  false, // not well-formed
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
