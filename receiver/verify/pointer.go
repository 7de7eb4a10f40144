package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxPointerTokens bounds how deep a pointer reaches.
const maxPointerTokens = 16

// pointer is a JSON pointer (RFC 6901), taken apart. A token may be anyElement.
type pointer []string

// anyElement is the token that stands for all elements of an array. Where it is
// allowed, a member of that name can't be named.
const anyElement = "*"

// wild reports whether p may lead to more than one value.
func (p pointer) wild() bool { return slices.Contains(p, anyElement) }

// parsePointer reads "/a/0/b". In tokens "~1" stands for "/" and "~0" for "~".
func parsePointer(text string) (pointer, error) {
	if !strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("%q is not a JSON pointer: it must start with '/', for example /data/id", text)
	}
	tokens := strings.Split(text[1:], "/")
	if len(tokens) > maxPointerTokens {
		return nil, fmt.Errorf("%q has more than %d parts", text, maxPointerTokens)
	}
	for i, token := range tokens {
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(token)
		if strings.Contains(rest, "~") {
			return nil, fmt.Errorf("%q is not a JSON pointer: write '~' as ~0 and '/' as ~1", text)
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	return tokens, nil
}

// validJSON reports whether body is one JSON value. Nesting is bounded by
// encoding/json.
func validJSON(body []byte) bool { return json.Valid(body) }

// text returns the member of a valid document as text: strings without quotes
// and escapes, numbers and booleans as they are written. A missing member and
// null are the empty text. ok is false for objects and arrays.
//
// Of members of the same name the last one counts, as in encoding/json.
func (p pointer) text(document []byte) (text string, ok bool) {
	value := bytes.TrimLeft(document, jsonSpace)
	for _, token := range p {
		if value = child(value, token); value == nil {
			return "", true
		}
	}
	return scalar(value)
}

// texts returns the texts of all values that p leads to in a valid document, in
// their order, at most limit. whole is false if there are more, or if p ends at
// an element before its last token, or at an object or array there: who takes
// the texts for all of the document would be wrong.
func (p pointer) texts(document []byte, limit int) (list []string, whole bool) {
	c := collector{limit: limit, whole: true}
	c.collect(p, bytes.TrimLeft(document, jsonSpace))
	return c.list, c.whole
}

// collector gathers texts up to a limit.
type collector struct {
	list  []string
	limit int
	whole bool
}

// collect adds what p leads to from the start of document on. It goes as deep as
// p is long.
func (c *collector) collect(p pointer, document []byte) {
	for i, token := range p {
		if token == anyElement {
			c.elements(p[i+1:], document)
			return
		}
		if document = child(document, token); document == nil {
			c.whole = false
			return
		}
	}
	text, _ := scalar(document)
	c.add(text)
}

// elements collects from each element of an array.
func (c *collector) elements(p pointer, document []byte) {
	if document[0] != '[' {
		c.whole = false
		return
	}
	for rest := skipSpace(document[1:]); rest[0] != ']'; rest = nextItem(rest) {
		if len(c.list) == c.limit {
			c.whole = false
			return
		}
		c.collect(p, rest)
	}
}

func (c *collector) add(text string) {
	if text == "" || len(c.list) == c.limit {
		c.whole = false
		return
	}
	c.list = append(c.list, text)
}

// scalar is the text of the value that document starts with.
func scalar(document []byte) (text string, ok bool) {
	value := document[:valueEnd(document)]
	switch value[0] {
	case '{', '[':
		return "", false
	case 'n':
		return "", true
	case '"':
		return unquote(value), true
	default:
		return string(value), true
	}
}

const jsonSpace = " \t\r\n"

// child returns the document from the member or element of that name on; nil
// if there is none. document must be valid JSON without space before it.
func child(document []byte, token string) []byte {
	switch document[0] {
	case '{':
		return member(document, token)
	case '[':
		return element(document, token)
	}
	return nil
}

// member finds the last member of that name.
func member(document []byte, name string) (found []byte) {
	rest := skipSpace(document[1:])
	for rest[0] != '}' {
		end := valueEnd(rest)
		key := rest[:end]
		rest = skipSpace(skipSpace(rest[end:])[1:]) // the colon
		if named(key, name) {
			found = rest
		}
		rest = nextItem(rest)
	}
	return found
}

// named compares without making a string of each key of a large object.
func named(quoted []byte, name string) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:len(quoted)-1]) == name
	}
	return unquote(quoted) == name
}

// element finds an element by its index in decimal digits without leading zeros.
func element(document []byte, index string) []byte {
	n, err := strconv.ParseUint(index, 10, 31)
	if err != nil || len(index) > 1 && index[0] == '0' {
		return nil
	}
	rest := skipSpace(document[1:])
	for ; rest[0] != ']'; n-- {
		if n == 0 {
			return rest
		}
		rest = nextItem(rest)
	}
	return nil
}

// nextItem skips a value and the comma after it.
func nextItem(document []byte) []byte {
	rest := skipSpace(document[valueEnd(document):])
	if rest[0] == ',' {
		rest = skipSpace(rest[1:])
	}
	return rest
}

func skipSpace(document []byte) []byte {
	for len(document) > 0 && strings.IndexByte(jsonSpace, document[0]) >= 0 {
		document = document[1:]
	}
	return document
}

// valueEnd is the length of the value that document starts with.
func valueEnd(document []byte) int {
	switch document[0] {
	case '"':
		return stringEnd(document)
	case '{', '[':
		return nestedEnd(document)
	}
	if end := bytes.IndexAny(document, ",]}"+jsonSpace); end >= 0 {
		return end
	}
	return len(document)
}

func stringEnd(document []byte) int {
	for i := 1; ; i++ {
		switch document[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// nestedEnd counts brackets; what is inside of strings doesn't count. The
// document is valid, so the kinds of brackets match.
func nestedEnd(document []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch document[i] {
		case '"':
			i += stringEnd(document[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// unquote is the text of a JSON string.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return ""
	}
	return text
}
