package match

import (
	"net/http"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
)

// Event is a verified event, as far as routes look at it. It remembers what was
// parsed out of it, so it is for one goroutine at a time.
type Event struct {
	ID string
	// Type is the event type as people see it: that of a batch names the types of
	// its elements, with commas between them, and may end in cut.
	Type string
	// Types are the types of a batch; nil: Type is the only one, or empty.
	Types []string
	// MoreTypes: the event has other types than Types. Any pattern could match one.
	MoreTypes bool
	Provider  string
	// Header is that of the request.
	Header http.Header
	// Query is that of the request, without "?".
	Query string
	// Body reads the body. It is called once, and only if an expression asks for the
	// body: what it returns takes several times the memory. Nil: there is no body.
	Body func() Body

	seen    *celEvent
	unknown []*cel.AttributePatternType
	parsed  bool // the body is in seen
}

// celEvent is the variable "event" of an expression.
type celEvent struct {
	ID       string            `cel:"id"`
	Type     string            `cel:"type"`
	Types    []string          `cel:"types"`
	Provider string            `cel:"provider"`
	Headers  map[string]string `cel:"headers"`
	Query    map[string]string `cel:"query"`
	Body     any               `cel:"body"`
}

// types are the types that patterns are compared with; without any, the empty one.
func (e *Event) types() []string {
	if len(e.Types) > 0 {
		return e.Types
	}
	return []string{e.Type}
}

// variable makes the variable of e, once for all routes, and returns which parts of it
// are not known. Header names are in lower case; several
// values of one header are joined by ", " (RFC 9110 §5.3).
func (e *Event) variable(withBody bool) (*celEvent, []*cel.AttributePatternType) {
	if e.seen == nil {
		headers := make(map[string]string, len(e.Header))
		for name, values := range e.Header {
			headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
		types := slices.DeleteFunc(slices.Clone(e.types()), func(t string) bool { return t == "" })
		e.seen = &celEvent{ID: e.ID, Type: e.Type, Types: types, Provider: e.Provider, Headers: headers}
		if query, ok := parseQuery(e.Query); ok {
			e.seen.Query = query
		} else {
			e.unknown = append(e.unknown, attribute("query"))
		}
		if e.MoreTypes {
			e.unknown = append(e.unknown, attribute("types"))
		}
		if e.MoreTypes || len(e.Types) > 0 && strings.Join(e.Types, separator) != e.Type {
			e.unknown = append(e.unknown, attribute("type"))
		}
	}
	if withBody && !e.parsed && e.Body != nil {
		var unknown []*cel.AttributePatternType
		e.seen.Body, unknown = e.Body().value()
		e.unknown, e.parsed = append(e.unknown, unknown...), true
	}
	return e.seen, e.unknown
}

// attribute is a member of the variable "event" and all that is in it.
func attribute(names ...string) *cel.AttributePatternType {
	pattern := cel.AttributePattern("event")
	for _, name := range names {
		pattern.QualString(name)
	}
	return pattern
}
