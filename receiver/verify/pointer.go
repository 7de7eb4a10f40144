package verify

import (
	"fmt"
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/document"
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

// validJSON reports whether text is one JSON value. Nesting is bounded by
// encoding/json.
func validJSON(text []byte) bool { return document.Valid(text) }

// text returns the member of a valid document as text: strings without quotes
// and escapes, numbers and booleans as they are written. A missing member and
// null are the empty text. ok is false for objects and arrays.
//
// Of members of the same name the last one counts, as in encoding/json.
func (p pointer) text(text []byte) (member string, ok bool) {
	value := document.Trim(text)
	for _, token := range p {
		if value = document.Child(value, token); value == nil {
			return "", true
		}
	}
	return scalar(value)
}

// scalar is the text of the value that text starts with.
func scalar(text []byte) (member string, ok bool) { return document.Text(document.Value(text)) }

// texts returns the texts of all values that p leads to in a valid document, in
// their order, at most limit. whole is false if there are more, or if p ends at
// an element before its last token, or at an object or array there: who takes
// the texts for all of the document would be wrong.
func (p pointer) texts(text []byte, limit int) (list []string, whole bool) {
	c := collector{limit: limit, whole: true}
	c.collect(p, document.Trim(text))
	return c.list, c.whole
}

// collector gathers texts up to a limit.
type collector struct {
	list  []string
	limit int
	whole bool
}

// collect adds what p leads to from the start of text on. It goes as deep as
// p is long.
func (c *collector) collect(p pointer, text []byte) {
	for i, token := range p {
		if token == anyElement {
			c.elements(p[i+1:], text)
			return
		}
		if text = document.Child(text, token); text == nil {
			c.whole = false
			return
		}
	}
	member, _ := scalar(text)
	c.add(member)
}

// elements collects from each element of an array.
func (c *collector) elements(p pointer, text []byte) {
	if len(text) == 0 || text[0] != '[' {
		c.whole = false
		return
	}
	for rest := document.First(text); rest != nil; rest = document.Next(rest) {
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
