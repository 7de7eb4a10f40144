package document

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

// Valid reports whether text is one JSON value. Nesting is bounded.
func Valid(text []byte) bool { return json.Valid(text) }

// byteOrderMark is what some senders put before the text. Readers may ignore it
// (RFC 8259 §8.1).
var byteOrderMark = []byte("\xef\xbb\xbf")

// Trim returns text without a byte order mark, and without space before the value.
func Trim(text []byte) []byte {
	text = bytes.TrimPrefix(text, byteOrderMark)
	return text[skipSpace(text, 0):]
}

// Text is the text of a scalar value: strings without quotes and escapes, numbers
// and booleans as they are written, null as the empty text. ok is false for
// objects and arrays.
func Text(value []byte) (text string, ok bool) {
	if len(value) == 0 {
		return "", true
	}
	switch value[0] {
	case '{', '[':
		return "", false
	case 'n':
		return "", true
	case '"':
		return unquote(value), true
	}
	return string(value), true
}

// unquote is the text of a JSON string.
func unquote(quoted []byte) string {
	inner := quoted[1:max(1, len(quoted)-1)]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	text := make([]byte, len(inner)) // what is decoded is never longer
	n, _ := unescape(text, inner)
	return string(text[:n])
}

// escapes are the bytes that a backslash and one character stand for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape decodes what stands between the quotes of a string into text, and
// returns how many bytes that are. ok is false if there is no room for them, or an
// escape that there is not. Half of a pair of surrogates becomes the replacement
// character, as in encoding/json.
func unescape(text, inner []byte) (n int, ok bool) {
	for i := 0; i < len(inner); n++ {
		if n >= len(text) {
			return n, false
		}
		c := inner[i]
		if c != '\\' {
			text[n] = c
			i++
			continue
		}
		if len(inner) > i+1 && inner[i+1] != 'u' {
			if c = escapes[inner[i+1]]; c == 0 {
				return n, false
			}
			text[n] = c
			i += 2
			continue
		}
		r, size := unescapeRune(inner[i:])
		if size == 0 {
			return n, false
		}
		if i += size; r < utf8.RuneSelf {
			text[n] = byte(r)
			continue
		}
		if len(text)-n < utf8.RuneLen(r) {
			return n, false
		}
		n += utf8.EncodeRune(text[n:], r) - 1
	}
	return n, true
}

// unescapeRune decodes the escape \uXXXX, or two that are a pair, at the beginning
// of inner; size 0: there is none.
func unescapeRune(inner []byte) (r rune, size int) {
	r, ok := hexRune(inner)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	second, _ := hexRune(inner[6:])
	if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
		return r, 12
	}
	return r, 6
}

// hexRune is the code unit of the escape \uXXXX that inner begins with.
func hexRune(inner []byte) (r rune, ok bool) {
	if len(inner) < 6 || inner[0] != '\\' || inner[1] != 'u' {
		return 0, false
	}
	a, b, c, d := hexDigits[inner[2]], hexDigits[inner[3]], hexDigits[inner[4]], hexDigits[inner[5]]
	return rune(a)<<12 | rune(b)<<8 | rune(c)<<4 | rune(d), a|b|c|d < noDigit
}

// noDigit is what hexDigits has for all but digits.
const noDigit = 0x10

// hexDigits are the values of the hexadecimal digits.
var hexDigits = func() (digits [256]uint8) {
	for i := range digits {
		digits[i] = noDigit
	}
	for i := range uint8(10) {
		digits['0'+i] = i
	}
	for i := range uint8(6) {
		digits['a'+i], digits['A'+i] = i+10, i+10
	}
	return digits
}()
