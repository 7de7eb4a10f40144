package match

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"
)

const (
	// maxExpression is the length of the longest expression, in bytes.
	maxExpression = 2048
	// maxCost bounds an evaluation, in CEL's units of cost. Comparing a member of
	// the body costs about 5; a macro over a list of a thousand elements, 10,000.
	maxCost = 100_000
)

// ErrCost is for an expression that takes too long for an event, so it was not evaluated
// to its end.
var ErrCost = errors.New("the expression costs too much for this event")

// ErrUnknown is for an expression that asks for something that can't be read in an event,
// so that it is not known whether the event matches.
var ErrUnknown = errors.New("the expression asks for what can't be read in this event: " +
	"its body is neither JSON nor a form, can't be decoded or is too large for that, or it has more types than can be listed")

// environment is what expressions are checked against. Making it takes
// milliseconds, so that it is made once.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	env, err := cel.NewEnv(
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[celEvent]()),
		cel.Variable("event", cel.ObjectType("match.celEvent")),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		ext.Strings(),
	)
	if err != nil {
		return nil, err
	}
	options, err := bounded(env)
	if err != nil {
		return nil, err
	}
	return env.Extend(options...)
})

// compileExpression checks and plans a CEL expression. The error says where in
// the text it is wrong, by line and column.
func compileExpression(text string) (cel.Program, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("an expression must not be longer than %d bytes", maxExpression)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, explain(issues)
	}
	if kind := ast.OutputType(); kind != cel.BoolType && kind != cel.DynType {
		return nil, fmt.Errorf("1:1: the expression must be true or false, and it is %s", kind)
	}
	options := append(boundedMatches(), cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize, cel.OptPartialEval))
	return env.Program(ast, options...)
}

// maxIssues keeps an error readable: one mistake at the beginning of an expression
// can cause many others.
const maxIssues = 3

// explain makes one line of what is wrong with an expression.
func explain(issues *cel.Issues) error {
	found := issues.Errors()
	var lines []string
	for _, issue := range found[:min(len(found), maxIssues)] {
		lines = append(lines, fmt.Sprintf("%d:%d: %s", issue.Location.Line(), issue.Location.Column()+1, issue.Message))
	}
	if more := len(found) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(lines, "; "))
}

// holds evaluates an expression. What is missing in an event, or of another
// type than the expression expects, does not match. What is unknown does not
// matter if the rest of the expression decides. The error is ErrCost or ErrUnknown.
func holds(program cel.Program, event *celEvent, unknown []*cel.AttributePatternType) (bool, error) {
	var variables any = map[string]any{"event": event}
	if len(unknown) > 0 {
		partial, err := cel.PartialVars(variables, unknown...)
		if err != nil {
			return false, ErrUnknown
		}
		variables = partial
	}
	value, _, err := program.Eval(variables)
	if err != nil {
		if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && cancelled.Cause == interpreter.CostLimitExceeded {
			return false, ErrCost
		}
		if errors.Is(err, ErrCost) {
			return false, ErrCost
		}
		return false, nil
	}
	if types.IsUnknown(value) {
		return false, ErrUnknown
	}
	return value == types.True, nil
}
