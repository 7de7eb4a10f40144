package match

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
)

// maxTypes bounds the patterns of a rule.
const maxTypes = 64

// Rule says which events match. Both parts must hold; a part that is empty
// holds for every event.
type Rule struct {
	// Types are patterns of the event type; one of them must fit: "invoice.*". A batch
	// matches if one of its types fits.
	Types []string `json:"types,omitempty"`
	// Expression is written in CEL over the variable event, with the fields id,
	// type, types, provider, headers (names in lower case) and body (JSON, or the
	// fields of a form).
	Expression string `json:"expression,omitempty"`
}

// Matcher is a Rule, made ready. It is immutable and safe for concurrent use.
type Matcher struct {
	types   Types
	program cel.Program // nil: no expression
	body    bool        // the expression may look at the body
}

// Compile checks a rule and makes it ready. The error names the part that is
// wrong, and for an expression the line and column.
func Compile(r Rule) (*Matcher, error) {
	types, err := ParseTypes(r.Types)
	if err != nil {
		return nil, err
	}
	m := &Matcher{types: types}
	if r.Expression == "" {
		return m, nil
	}
	program, err := compileExpression(r.Expression)
	if err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	// An expression can reach the body by its name only.
	m.program, m.body = program, strings.Contains(r.Expression, "body")
	return m, nil
}

// Match reports whether an event matches. If the error is ErrCost or ErrUnknown, nobody
// knows.
func (m *Matcher) Match(e *Event) (bool, error) {
	if !m.types.fit(e.types(), e.MoreTypes) {
		return false, nil
	}
	if m.program == nil {
		return true, nil
	}
	variable, unknown := e.variable(m.body)
	return holds(m.program, variable, unknown)
}
