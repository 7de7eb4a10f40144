package document

import (
	"encoding/binary"
	"math/bits"
)

// class is what a byte means outside of strings.
type class uint8

const (
	other   class = iota // scalars, space, commas and colons
	quote                // begins a string
	opening              // of an object or an array
	closing
)

var classes = [256]class{'"': quote, '{': opening, '[': opening, '}': closing, ']': closing}

// Words of eight bytes are looked at as a whole. In a word, each of these is one
// byte eight times.
const (
	highs       = 0x8080808080808080
	quotes      = '"' * ones
	backslashes = '\\' * ones
	openings    = '{' * ones
	closings    = '}' * ones
)

// word is the eight bytes from text[i] on.
func word(text []byte, i int) uint64 { return binary.LittleEndian.Uint64(text[i : i+8]) }

// In what these return, the lowest bit that is set belongs to the first byte that
// is meant: (x-ones)&^x&highs has the high bit of the lowest byte of x that is zero,
// and none below it.

// special marks quotes and backslashes.
func special(w uint64) uint64 {
	q, b := w^quotes, w^backslashes
	return ((q-ones)&^q | (b-ones)&^b) & highs
}

// structural marks quotes and brackets.
func structural(w uint64) uint64 {
	q, w := w^quotes, w|braceBit
	o, c := w^openings, w^closings
	return ((q-ones)&^q | (o-ones)&^o | (c-ones)&^c) & highs
}

// first is the number of the first byte that is marked.
func first(marks uint64) int { return bits.TrailingZeros64(marks) >> 3 }

// near is how many bytes are looked at one by one before words are: most strings
// and gaps are short, and the processor foresees where they end.
const near = 12

// stringEnd is where the string ends that begins before text[from]: the place of
// its closing quote, or the end of text. escaped: there is a backslash in it.
func stringEnd(text []byte, from int) (end int, escaped bool) {
	i, bytewise := from, from+near
	for i < len(text) {
		switch text[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			i += 2
			bytewise = i + near
			continue
		}
		if i++; i < bytewise {
			continue
		}
		for i+8 <= len(text) {
			if marks := special(word(text, i)); marks != 0 {
				i += first(marks)
				break
			}
			i += 8
		}
	}
	return len(text), escaped
}

// skipOther is the place of the first quote or bracket from text[i] on, or the end
// of text.
func skipOther(text []byte, i int) int {
	for bytewise := min(i+near, len(text)); i < bytewise; i++ {
		if classes[text[i]] != other {
			return i
		}
	}
	for i+8 <= len(text) {
		if marks := structural(word(text, i)); marks != 0 {
			return i + first(marks)
		}
		i += 8
	}
	for i < len(text) && classes[text[i]] == other {
		i++
	}
	return i
}

// nestedEnd is where the object or array ends, depth levels up, that text[from] is
// in: behind its closing bracket, or the end of text. That the kinds of brackets
// match is not looked at.
func nestedEnd(text []byte, from, depth int) int {
	for i := from; i < len(text); {
		switch classes[text[i]] {
		case other:
			i = skipOther(text, i+1)
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
