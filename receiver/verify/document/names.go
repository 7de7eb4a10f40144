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
// their length, and by their first and last byte, not to be one of them.
type names struct {
	plain, escaped lengths // of what stands between the quotes of a key
	longest        int     // bytes of a key, decoded
	borders        uint64  // a set of hashes of the first and the last byte
	folded         bool
	// spans are the lengths of keys that fit into a block: without escapes, and with
	// or without.
	spans, escapedSpans []span
}

// span is the numbers from least to most.
type span struct{ least, most int }

// spansOf are those of a set of numbers.
func spansOf(set uint64) (list []span) {
	for length := 0; length <= blockSize-2; length++ {
		switch {
		case set>>length&1 == 0:
		case len(list) > 0 && list[len(list)-1].most == length-1:
			list[len(list)-1].most = length
		default:
			list = append(list, span{length, length})
		}
	}
	return list
}

// before marks the places that have a mark at a distance of one more than one of
// the numbers behind them.
func (s span) before(marks uint64) (places uint64) {
	places = marks >> (s.least + 1)
	width, wanted := 1, s.most-s.least+1
	for ; 2*width <= wanted; width *= 2 {
		places |= places >> width
	}
	return places | places>>(wanted-width)
}

// ready is to be called when all names are in.
func (n *names) ready() {
	n.spans, n.escapedSpans = spansOf(n.plain.bits), spansOf(n.plain.bits|n.escaped.bits)
}

// add takes a name in.
func (n *names) add(name string) {
	n.plain.add(len(name), len(name))
	n.escaped.add(len(name)+1, escapeFactor*len(name))
	n.longest = max(n.longest, len(name))
	if name != "" {
		n.borders |= border(name[0], name[len(name)-1])
	}
}

// addFolded takes a name in whatever case it is written. The cases of a letter may
// take different numbers of bytes.
func (n *names) addFolded(name string) {
	count := utf8.RuneCountInString(name)
	n.plain.add(count, utf8.UTFMax*count)
	n.escaped.add(count+1, escapeRune*count)
	n.longest = max(n.longest, utf8.UTFMax*count)
	n.folded = true
	if name == "" {
		return
	}
	const letterCase = 'a' - 'A'
	for _, first := range [...]byte{name[0], name[0] ^ letterCase} {
		for _, last := range [...]byte{name[len(name)-1], name[len(name)-1] ^ letterCase} {
			n.borders |= border(first, last)
		}
	}
}

// borders is how many hashes of a first and a last byte there are.
const borders = 64

func borderOf(first, last byte) byte { return (first*7 + last) % borders }

// border is the set of one such hash.
func border(first, last byte) uint64 { return 1 << borderOf(first, last) }

// borderOfKey is the hash of a key.
func borderOfKey[T string | []byte](key T) byte {
	if len(key) == 0 {
		return 0
	}
	return borderOf(key[0], key[len(key)-1])
}

// admit reports whether a key that is spelled so may be one of the names.
func (n *names) admit(inner []byte) bool {
	if len(inner) == 0 || !n.plain.has(len(inner)) {
		return n.plain.has(len(inner))
	}
	first, last := inner[0], inner[len(inner)-1]
	return n.borders&border(first, last) != 0 || n.folded && (first|last) >= utf8.RuneSelf
}

// decode is a key with escapes, if it may be one of the names. It is put into
// buffer, which is made where there is none.
func (n *names) decode(buffer *[]byte, inner []byte) (key []byte, ok bool) {
	if !n.escaped.has(len(inner)) {
		return nil, false
	}
	if len(*buffer) < n.longest {
		*buffer = make([]byte, n.longest)
	}
	length, ok := unescape((*buffer)[:n.longest], inner)
	key = (*buffer)[:length]
	return key, ok && n.admit(key)
}

// members calls visit for each member of the object that text[from] is in, if its
// key may be one of the names wanted. visit gets the key, decoded, and the place of
// the value, and returns where that ends; none: it is not interested. members
// returns where the object ends.
func members(text []byte, from int, wanted *names, visit func(key []byte, behind int) int) int {
	var buffer []byte // of keys with escapes
	for i := from; i < len(text); {
		switch classes[text[i]] {
		case other:
			i = skipOther(text, i+1)
		case quote:
			start := i + 1
			end, escaped := stringEnd(text, start)
			i = end + 1
			key := text[start:end]
			if escaped {
				var ok bool
				if key, ok = wanted.decode(&buffer, key); !ok {
					continue
				}
			} else if !wanted.admit(key) {
				continue
			}
			if end := visit(key, i); end != none {
				i = end
			}
		case opening:
			i = nestedEnd(text, i+1, 1)
		case closing:
			return i + 1
		}
	}
	return len(text)
}

// none is no place and no number.
const none = -1

// afterColon is the place of the value behind a colon; none: what stands before it
// is no key, but a value itself.
func afterColon(text []byte, from int) int {
	colon := skipSpace(text, from)
	if colon >= len(text) || text[colon] != ':' {
		return none
	}
	if value := skipSpace(text, colon+1); value < len(text) {
		return value
	}
	return none
}

// isASCII reports whether text has no other characters. Of those, none has a case
// that takes another number of bytes.
func isASCII[T string | []byte](text T) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
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
