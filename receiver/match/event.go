package match

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Event is a verified event, as far as routes look at it. It remembers what was
// parsed out of it, so it is for one goroutine at a time.
type Event struct {
	ID       string
	Type     string
	Provider string
	// Header, Query and Body are those of the request; Query is without "?".
	Header http.Header
	Query  string
	Body   []byte

	seen   *celEvent
	parsed bool // the body is in seen
}

// celEvent is the variable "event" of an expression.
type celEvent struct {
	ID       string            `cel:"id"`
	Type     string            `cel:"type"`
	Provider string            `cel:"provider"`
	Headers  map[string]string `cel:"headers"`
	Query    map[string]string `cel:"query"`
	Body     any               `cel:"body"`
}

// variable makes the variable of e, once, however many routes look at it. Header
// names are in lower case; several values of one header are joined by ", "
// (RFC 9110 §5.3). The body is JSON or a form, and nil if it is neither, or if
// it was never asked for: parsed, it takes several times its size.
func (e *Event) variable(withBody bool) *celEvent {
	if e.seen == nil {
		headers := make(map[string]string, len(e.Header))
		for name, values := range e.Header {
			headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
		e.seen = &celEvent{ID: e.ID, Type: e.Type, Provider: e.Provider, Headers: headers, Query: parseQuery(e.Query)}
	}
	if withBody && !e.parsed {
		e.seen.Body, e.parsed = parseBody(e.Header.Get("Content-Type"), e.Body), true
	}
	return e.seen
}

func parseBody(contentType string, body []byte) any {
	if media, _, err := mime.ParseMediaType(contentType); err == nil && media == "application/x-www-form-urlencoded" {
		return parseForm(body)
	}
	value, err := parseJSON(body)
	if err != nil {
		return nil
	}
	return value
}

// parseForm makes a map of the fields. Of a field that occurs several times,
// the first value is taken, as http.Request.FormValue does it.
func parseForm(body []byte) any {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil
	}
	form := make(map[string]any, len(values))
	for name := range values {
		form[name] = values.Get(name)
	}
	return form
}

var errTrailing = errors.New("there is more than one JSON value")

func parseJSON(body []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return withNumbers(value), nil
}

// withNumbers makes integers of whole numbers: as floating point numbers, long
// ids would lose digits.
func withNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // out of range: infinite, which no id equals
		return f
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = withNumbers(v[name])
		}
	}
	return value
}
