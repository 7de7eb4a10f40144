package document

import "encoding/binary"

// class is what a byte means outside of strings.
type class uint8

const (
	other   class = iota // scalars, space, commas and colons
	quote                // begins a string
	opening              // of an object or an array
	closing
)

var classes = [256]class{'"': quote, '{': opening, '[': opening, '}': closing, ']': closing}

// In a word of eight bytes, these are one byte eight times.
const (
	ones       = 0x0101010101010101
	highs      = 0x8080808080808080
	quotes     = '"' * ones
	backslashs = '\\' * ones
)

// stringEnd is where the string ends that begins before text[from]: the place of
// its closing quote, or the end of text. escaped: there is a backslash in it.
func stringEnd(text []byte, from int) (end int, escaped bool) {
	for i := from; i < len(text); {
		switch text[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			i += 2
			continue
		}
		i++
		for i+8 <= len(text) {
			word := binary.LittleEndian.Uint64(text[i:])
			q, b := word^quotes, word^backslashs
			if ((q-ones)&^q|(b-ones)&^b)&highs != 0 { // a byte of q or b is zero
				break
			}
			i += 8
		}
	}
	return len(text), escaped
}

// nestedEnd is where the object or array ends, depth levels up, that text[from] is
// in: behind its closing bracket, or the end of text. That the kinds of brackets
// match is not looked at.
func nestedEnd(text []byte, from, depth int) int {
	for i := from; i < len(text); {
		switch classes[text[i]] {
		case other:
			i++
		case quote:
			end, _ := stringEnd(text, i+1)
			i = end + 1
		case opening:
			depth++
			i++
		case closing:
			i++
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// valueEnd is where the value ends that begins at text[from].
func valueEnd(text []byte, from int) int {
	if from >= len(text) {
		return len(text)
	}
	switch classes[text[from]] {
	case quote:
		end, _ := stringEnd(text, from+1)
		return min(end+1, len(text))
	case opening:
		return nestedEnd(text, from+1, 1)
	}
	for i := from; i < len(text); i++ {
		if ends[text[i]] {
			return i
		}
	}
	return len(text)
}

// ends are the bytes behind a number, true, false or null.
var ends = [256]bool{',': true, ']': true, '}': true, ' ': true, '\t': true, '\r': true, '\n': true}

// skipSpace is the place of the first byte from text[from] on that is no space.
func skipSpace(text []byte, from int) int {
	for from < len(text) && (text[from] == ' ' || text[from] == '\n' || text[from] == '\t' || text[from] == '\r') {
		from++
	}
	return from
}
