package document

import (
	"bytes"
	"strconv"
)

// SkipSpace returns text without the space before its value.
func SkipSpace(text []byte) []byte { return text[skipSpace(text, 0):] }

// Value is the value that text begins with, without what is behind it.
func Value(text []byte) []byte { return text[:valueEnd(text, 0)] }

// Scalar is the text of the value that text begins with; see Text.
func Scalar(text []byte) (scalar string, ok bool) { return Text(Value(text)) }

// Child returns text from the member or element on that a token of a pointer
// names; nil if there is none. Text must begin with the object or array. Of
// members of the same name the last one counts.
func Child(text []byte, token string) []byte {
	if len(text) == 0 {
		return nil
	}
	switch text[0] {
	case '{':
		return member(text, token)
	case '[':
		return element(text, token)
	}
	return nil
}

// member returns an object's text from the value of the last member of that name
// on; nil if there is none.
func member(object []byte, name string) (found []byte) {
	var wanted names
	wanted.add(name)
	members(object, 1, &wanted, func(key []byte, behind int) int {
		if string(key) != name {
			return none
		}
		value := afterColon(object, behind)
		if value == none {
			return none
		}
		found = object[value:]
		return valueEnd(object, value)
	})
	return found
}

// element finds an element by its index.
func element(array []byte, token string) []byte {
	index, ok := parseIndex(token)
	if !ok {
		return nil
	}
	rest := First(array)
	for ; index > 0 && rest != nil; index-- {
		rest = Next(rest)
	}
	return rest
}

// First returns an array's text from its first element on; nil if there is none.
func First(array []byte) []byte {
	if len(array) == 0 || array[0] != '[' {
		return nil
	}
	return begun(SkipSpace(array[1:]))
}

// Next returns what follows the element that text begins with, from the next
// element on; nil if there is none.
func Next(text []byte) []byte {
	rest := SkipSpace(text[valueEnd(text, 0):])
	if len(rest) == 0 || rest[0] != ',' {
		return nil
	}
	return begun(SkipSpace(rest[1:]))
}

// begun is text, if a value begins with it.
func begun(text []byte) []byte {
	if len(text) == 0 || bytes.IndexByte([]byte(",]}:"), text[0]) >= 0 {
		return nil
	}
	return text
}

// parseIndex reads the index of an element: decimal digits without leading zeros.
func parseIndex(token string) (index int, ok bool) {
	n, err := strconv.ParseUint(token, 10, 31)
	if err != nil || len(token) > 1 && token[0] == '0' {
		return 0, false
	}
	return int(n), true
}
