package document

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
)

var (
	errNoRoom    = errors.New("the body must have an object or an array in the place that it is in")
	errContainer = errors.New("there is an object or an array in its place: it must be a text")
)

// Put returns a valid text in which p leads to the scalar value. All else stays as it
// is written; what is missing on the way is added. A number stays a number, if value
// is one; number says whether a new member is a number.
func (p Pointer) Put(text []byte, value string, number bool) ([]byte, error) {
	at := Trim(text)
	for i, token := range p {
		next := descend(at, token)
		if next == nil {
			return insert(text, at, p[i:], literal(nil, value, number))
		}
		at = next
	}
	old := Value(at)
	if old[0] == '{' || old[0] == '[' {
		return nil, errContainer
	}
	begin := len(text) - len(at)
	return slices.Concat(text[:begin], literal(old, value, number), text[begin+len(old):]), nil
}

// literal writes a text as JSON, in place of old.
func literal(old []byte, text string, number bool) []byte {
	if len(old) > 0 && old[0] != 'n' {
		number = old[0] != '"'
	}
	if number && (IsNumber(text) || text == "true" || text == "false") {
		return []byte(text)
	}
	return AppendQuoted(nil, text)
}

// IsNumber reports whether text is a JSON number, without the space around it that a
// text of JSON may have.
func IsNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') &&
		!strings.ContainsAny(text, " \t\r\n") && Valid([]byte(text))
}

// AppendQuoted appends text as a JSON string.
func AppendQuoted(document []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return append(document, quoted...)
}

// insert adds the value that p names to the object or array that at starts with. at is
// the end of text.
func insert(text, at []byte, p Pointer, value []byte) ([]byte, error) {
	for _, token := range slices.Backward(p[1:]) {
		if token == AnyElement || token == "0" {
			value = slices.Concat([]byte{'['}, value, []byte{']'})
		} else {
			value = slices.Concat(AppendQuoted([]byte{'{'}, token), []byte{':'}, value, []byte{'}'})
		}
	}
	switch {
	case at[0] == '{' && p[0] != AnyElement:
		value = slices.Concat(AppendQuoted(nil, p[0]), []byte{':'}, value)
	case at[0] == '[' && appends(at, p[0]):
	default:
		return nil, errNoRoom
	}
	if rest := SkipSpace(at[1:]); rest[0] != '}' && rest[0] != ']' {
		value = append([]byte{','}, value...)
	}
	end := len(text) - len(at) + valueEnd(at, 0) - 1
	return slices.Concat(text[:end], value, text[end:]), nil
}

// appends reports whether a token is the index behind the last element of an array.
func appends(array []byte, token string) bool {
	n := 0
	for rest := First(array); rest != nil; rest = Next(rest) {
		n++
	}
	return token == strconv.Itoa(n) || token == AnyElement && n == 0
}
