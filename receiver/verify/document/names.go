package document

import (
	"bytes"
	"unicode/utf8"
)

// lengths is a set of numbers: each up to 62 by itself, and all from 63 to max.
type lengths struct {
	bits uint64
	max  int
}

const maxSingle = 63

// add takes the numbers from least to most in.
func (l *lengths) add(least, most int) {
	const all = ^uint64(0)
	l.bits |= all << min(least, maxSingle) & (all >> (maxSingle - min(most, maxSingle)))
	l.max = max(l.max, most)
}

func (l *lengths) has(n int) bool {
	return l.bits>>min(uint(n), maxSingle)&1 != 0 && n <= l.max
}

// Bounds of what a character takes in a key. An escape is longer than the
// character is; those of the basic plane take 6 bytes for 1 to 3, the others 12
// for 4.
const (
	escapeFactor = 6  // bytes of the longest spelling of a byte
	escapeRune   = 12 // bytes of the longest spelling of a character
)

// names are what keys of one object are compared with. Most keys are told by
// their length not to be one of them.
type names struct {
	plain, escaped lengths // of what stands between the quotes of a key
	longest        int     // bytes of a key, decoded
}

// add takes a name in.
func (n *names) add(name string) {
	n.plain.add(len(name), len(name))
	n.escaped.add(len(name)+1, escapeFactor*len(name))
	n.longest = max(n.longest, len(name))
}

// addFolded takes a name in whatever case it is written. The cases of a letter may
// take different numbers of bytes.
func (n *names) addFolded(name string) {
	count := utf8.RuneCountInString(name)
	n.plain.add(count, utf8.UTFMax*count)
	n.escaped.add(count+1, escapeRune*count)
	n.longest = max(n.longest, utf8.UTFMax*count)
}

// admit reports whether a key that is spelled so may be one of the names.
func (n *names) admit(inner []byte, escaped bool) bool {
	if escaped {
		return n.escaped.has(len(inner))
	}
	return n.plain.has(len(inner))
}

// members calls visit for each member of the object that text[from] is in, if its
// key may be one of the names wanted. visit gets the key, decoded, and the place of
// the value, and returns where that ends. members returns where the object ends.
func members(text []byte, from int, wanted *names, visit func(key []byte, value int) int) int {
	var buffer []byte // of keys with escapes
	for i := from; i < len(text); {
		switch classes[text[i]] {
		case other:
			i++
		case quote:
			end, escaped := stringEnd(text, i+1)
			key := text[i+1 : end]
			if i = end + 1; !wanted.admit(key, escaped) {
				continue
			}
			value, ok := afterColon(text, i)
			if !ok { // it is no key, but a value itself
				continue
			}
			if escaped {
				if buffer, ok = appendUnescaped(buffer[:0], key, wanted.longest); !ok {
					continue
				}
				key = buffer
			}
			i = visit(key, value)
		case opening:
			i = nestedEnd(text, i+1, 1)
		case closing:
			return i + 1
		}
	}
	return len(text)
}

// afterColon is the place of the value behind a colon; ok is false if there is none.
func afterColon(text []byte, from int) (value int, ok bool) {
	colon := skipSpace(text, from)
	if colon >= len(text) || text[colon] != ':' {
		return from, false
	}
	value = skipSpace(text, colon+1)
	return value, value < len(text)
}

// folded reports whether key is name in any case.
func folded(key []byte, name string) bool {
	if len(key) == 0 || name == "" {
		return len(key) == len(name)
	}
	const letterCase = 'a' - 'A'
	if key[0] < utf8.RuneSelf && name[0] < utf8.RuneSelf && key[0]|letterCase != name[0]|letterCase {
		return false
	}
	return bytes.EqualFold(key, []byte(name))
}
