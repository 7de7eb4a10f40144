package match

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"cel.dev/cel-go/cel"
)

// Body is what came with an event, as far as expressions can read it.
type Body struct {
	// Document is the body without the encoding in which it came.
	Document []byte
	// Form are the fields of a form; nil: the body is not a form.
	Form url.Values
	// JSONFields are the fields of the form that hold JSON.
	JSONFields []string
	// Unreadable: nobody knows what is in the body, because its encoding is unknown or
	// broken, or it is larger than what may be decoded.
	Unreadable bool
	// Reserve takes memory for JSON that is parsed, and returns false if there is none
	// now; nil: there is enough. Nothing is known of a body for which there is none.
	Reserve func(bytes int64) bool
}

// maxParsed bounds what JSON may take in memory once it is parsed. Of what is larger,
// nothing is known.
const maxParsed = 32 << 20

// What parts of JSON take in memory at most, besides the bytes of their text: each value
// and the name before it; a list; and an object, whose first members have room in it.
const (
	valueBytes  = 80
	listBytes   = 48
	objectBytes = 336
)

// parsedBytes estimates from above what a JSON text takes in memory, values and the
// buffers of the parser. It looks at punctuation only, and counts that within strings,
// too.
func parsedBytes(document []byte) int64 {
	count := func(sign byte) int64 { return int64(bytes.Count(document, []byte{sign})) }
	values := count(',') + count(':') + 1
	return 4*int64(len(document)) + valueBytes*values + listBytes*count('[') + objectBytes*count('{')
}

var errTooLarge = errors.New("the JSON is too large for the memory that there is")

// parse reads JSON if there is memory for it.
func (b Body) parse(document []byte) (any, error) {
	size := parsedBytes(document)
	if size > maxParsed || b.Reserve != nil && !b.Reserve(size) {
		return nil, errTooLarge
	}
	return parseJSON(document)
}

// value makes event.body: the JSON, or a map of the fields of a form. An empty body is
// known to be nil. If a body is neither JSON nor a form, nothing about it is known.
//
// JSON that is declared as a form counts as JSON: some senders (curl) declare a form
// unless they are told otherwise, and a form never is JSON.
func (b Body) value() (any, []*cel.AttributePatternType) {
	all := []*cel.AttributePatternType{attribute("body")}
	if b.Unreadable {
		return nil, all
	}
	document := plain(b.Document)
	if len(document) == 0 {
		return nil, nil
	}
	if b.Form == nil || document[0] == '{' || document[0] == '[' {
		if value, err := b.parse(document); err == nil {
			return value, nil
		}
	}
	if b.Form == nil {
		return nil, all
	}
	return b.form()
}

// plain is a document without the byte order mark that may stand before JSON
// (RFC 8259 §8.1), and without space around it.
func plain(document []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(document, []byte("\ufeff")))
}

// form makes a map of the fields. If a field occurs several times, its first value
// counts, as in http.Request.FormValue.
func (b Body) form() (any, []*cel.AttributePatternType) {
	form := make(map[string]any, len(b.Form))
	for name := range b.Form {
		form[name] = b.Form.Get(name)
	}
	var unknown []*cel.AttributePatternType
	for _, name := range b.JSONFields {
		text := b.Form.Get(name)
		if text == "" {
			continue // an empty text means that there is nothing
		}
		value, err := b.parse(plain([]byte(text)))
		if err != nil {
			unknown = append(unknown, attribute("body", name))
			continue
		}
		form[name] = value
	}
	return form, unknown
}

var errTrailing = errors.New("there is more than one JSON value")

func parseJSON(document []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
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
