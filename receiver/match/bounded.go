package match

import (
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// The limit of cost is charged after a call, and a single call can make a text a
// thousand times as long as its arguments. So what a call reads and makes is computed
// before it. The bounds are those at which the call would cost more than an evaluation
// may: what they refuse would be given up afterwards anyway.
const (
	// maxRead is the longest text that a function reads: a character costs a tenth.
	maxRead = 10 * maxCost
	// maxMade is the longest text that it makes: a character costs one.
	maxMade = maxCost
	// numberText is how long the text of a number can be, with maxPrecision digits.
	numberText   = 400 + maxPrecision
	maxPrecision = 100 // of ext.Strings
)

// made computes the length of what functions make that can be longer than what they
// read.
var made = map[string]func(args []ref.Val) int{
	"replace": func(args []ref.Val) int {
		old := textOf(args[1])
		times := strings.Count(textOf(args[0]), old)
		if len(args) > 3 {
			if n, ok := args[3].(types.Int); ok && n >= 0 && n < types.Int(times) {
				times = int(n)
			}
		}
		return len(textOf(args[0])) + times*(len(textOf(args[2]))-len(old))
	},
	"join": func(args []ref.Val) int {
		between := 0
		if list, ok := args[0].(traits.Lister); ok && len(args) > 1 {
			n, _ := list.Size().(types.Int)
			between = int(n) * len(textOf(args[1]))
		}
		return between + textSize(args[0], maxMade)
	},
	"format": func(args []ref.Val) int { return len(textOf(args[0])) + 2*textSize(args[1], maxMade) },
}

func textOf(v ref.Val) string { text, _ := v.(types.String); return string(text) }

// textSize is how long the texts in a value are, or more than most.
func textSize(v ref.Val, most int) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	case traits.Mapper, traits.Lister:
		size := 0
		for it := v.(traits.Iterable).Iterator(); it.HasNext() == types.True && size <= most; {
			element := it.Next()
			size += textSize(element, most-size) + 1
			if m, ok := v.(traits.Mapper); ok {
				size += textSize(m.Get(element), most-size)
			}
		}
		return size
	}
	return numberText
}

// costsTooMuch reports whether a call of a function would exceed the limit of cost.
func costsTooMuch(function string, args []ref.Val) bool {
	for _, arg := range args {
		if text, ok := arg.(types.String); ok && len(text) > maxRead {
			return true
		}
	}
	size := made[function]
	return size != nil && size(args) > maxMade
}

// boundedFunctions are those that are declared anew.
var boundedFunctions = []string{
	"charAt", "format", "indexOf", "join", "lastIndexOf", "lowerAscii", "replace", "reverse", "split", "strings.quote",
	"substring", "trim", "upperAscii",
}

// bounded declares functions of an environment anew, so that each call is judged first.
func bounded(env *cel.Env) ([]cel.EnvOption, error) {
	var options []cel.EnvOption
	for _, name := range boundedFunctions {
		declared := env.Functions()[name]
		bindings, err := declared.Bindings()
		if err != nil {
			return nil, err
		}
		for _, overload := range declared.OverloadDecls() {
			for _, binding := range bindings {
				if binding.Operator != overload.ID() {
					continue
				}
				declare := cel.Overload
				if overload.IsMemberFunction() {
					declare = cel.MemberOverload
				}
				options = append(options, cel.Function(name, declare(overload.ID(), overload.ArgTypes(), overload.ResultType(), boundedBinding(name, binding))))
				break
			}
		}
	}
	return options, nil
}

// boundedBinding is a binding of as many arguments.
func boundedBinding(name string, original *functions.Overload) cel.OverloadOpt {
	tooMuch := types.WrapErr(ErrCost)
	switch {
	case original.Unary != nil:
		return cel.UnaryBinding(func(arg ref.Val) ref.Val {
			if costsTooMuch(name, []ref.Val{arg}) {
				return tooMuch
			}
			return original.Unary(arg)
		})
	case original.Binary != nil:
		return cel.BinaryBinding(func(left, right ref.Val) ref.Val {
			if costsTooMuch(name, []ref.Val{left, right}) {
				return tooMuch
			}
			return original.Binary(left, right)
		})
	}
	return cel.FunctionBinding(func(args ...ref.Val) ref.Val {
		if costsTooMuch(name, args) {
			return tooMuch
		}
		return original.Function(args...)
	})
}

// boundedMatches are the options that bound regular expressions, which CEL lets nobody
// declare anew. Those that are constants are compiled once, as CEL does.
func boundedMatches() []cel.ProgramOption {
	match := func(call interpreter.InterpretableCall, pattern *regexp.Regexp) interpreter.InterpretableCall {
		return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(args ...ref.Val) ref.Val {
			return matches(pattern, args)
		})
	}
	var constants []*interpreter.RegexOptimization
	for _, id := range []string{overloads.Matches, overloads.MatchesString} {
		constants = append(constants, &interpreter.RegexOptimization{
			Function: overloads.Matches, OverloadID: id, RegexIndex: 1,
			Factory: func(call interpreter.InterpretableCall, text string) (interpreter.InterpretableCall, error) {
				pattern, err := regexp.Compile(text)
				return match(call, pattern), err
			},
		})
	}
	others := func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		if call, ok := i.(interpreter.InterpretableCall); ok && call.Function() == overloads.Matches {
			return match(call, nil), nil
		}
		return i, nil
	}
	return []cel.ProgramOption{cel.CustomDecoratorV2(others), cel.OptimizeRegex(constants...)}
}

// matches is the function of that name. pattern is nil if it is no constant.
func matches(pattern *regexp.Regexp, args []ref.Val) ref.Val {
	text, isText := args[0].(types.String)
	wanted, isPattern := args[1].(types.String)
	switch {
	case !isText || !isPattern:
		return types.NoSuchOverloadErr()
	case len(text)/10*(len(wanted)/4+1) > maxCost || pattern == nil && len(wanted) > maxExpression:
		return types.WrapErr(ErrCost)
	}
	if pattern == nil {
		compiled, err := regexp.Compile(string(wanted))
		if err != nil {
			return types.WrapErr(err)
		}
		pattern = compiled
	}
	return types.Bool(pattern.MatchString(string(text)))
}
