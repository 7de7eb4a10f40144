package document

import (
	"fmt"
	"slices"
	"strings"
)

// maxDepth bounds how deep pointers and paths reach.
const maxDepth = 16

// AnyElement is the token that stands for all elements of an array. Where it is
// allowed, a member of that name can't be named.
const AnyElement = "*"

// Pointer is a JSON pointer (RFC 6901), taken apart. A token may be AnyElement.
type Pointer []string

// ParsePointer reads "/a/0/b". In tokens "~1" stands for "/" and "~0" for "~".
func ParsePointer(text string) (Pointer, error) {
	if !strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("%q is not a JSON pointer: it must start with '/', for example /data/id", text)
	}
	tokens := strings.Split(text[1:], "/")
	if len(tokens) > maxDepth {
		return nil, fmt.Errorf("%q has more than %d parts", text, maxDepth)
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

// Wild reports whether p may lead to more than one value.
func (p Pointer) Wild() bool { return slices.Contains(p, AnyElement) }

// Find returns a valid text from the value on that p leads to; nil if there is none.
// AnyElement stands for the first element. Of members of the same name the last one
// counts, as in encoding/json.
func (p Pointer) Find(text []byte) []byte {
	value := Trim(text)
	for _, token := range p {
		if value = descend(value, token); value == nil {
			return nil
		}
	}
	return value
}

func descend(value []byte, token string) []byte {
	if token != AnyElement {
		return Child(value, token)
	}
	return First(value)
}

// Text returns the text of the value that p leads to in a valid text; see Text.
func (p Pointer) Text(text []byte) (member string, ok bool) { return Scalar(p.Find(text)) }

// Texts returns the texts of all values that p leads to in a valid text, in their
// order, at most limit. whole is false if the list is incomplete: because there are
// more, or because p ends at an element before its last token, or at an object or an
// array.
func (p Pointer) Texts(text []byte, limit int) (list []string, whole bool) {
	c := collector{limit: limit, whole: true}
	c.collect(p, Trim(text))
	return c.list, c.whole
}

// collector gathers texts up to a limit.
type collector struct {
	list  []string
	limit int
	whole bool
}

// collect adds the texts that p leads to from the start of text on. The recursion is
// as deep as p is long.
func (c *collector) collect(p Pointer, text []byte) {
	for i, token := range p {
		if token == AnyElement {
			c.elements(p[i+1:], text)
			return
		}
		if text = Child(text, token); text == nil {
			c.whole = false
			return
		}
	}
	member, _ := Scalar(text)
	c.add(member)
}

// elements collects from each element of an array.
func (c *collector) elements(p Pointer, text []byte) {
	if len(text) == 0 || text[0] != '[' {
		c.whole = false
		return
	}
	for rest := First(text); rest != nil; rest = Next(rest) {
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
