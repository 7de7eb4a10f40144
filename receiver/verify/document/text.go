package document

import (
	"bytes"
	"encoding/json"
	"math"
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
	text, _ := appendUnescaped(make([]byte, 0, len(inner)), inner, math.MaxInt)
	return string(text)
}

// escapes are the bytes that a backslash and one character stand for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// appendUnescaped decodes what stands between the quotes of a string. ok is false
// if that has more than limit bytes, or an escape that there is not; what is
// returned then is for use as a buffer only. Half of a
// pair of surrogates becomes the replacement character, as in encoding/json.
func appendUnescaped(text, inner []byte, limit int) (_ []byte, ok bool) {
	for len(inner) > 0 {
		next := bytes.IndexByte(inner, '\\')
		if next < 0 {
			next = len(inner)
		}
		if next > limit-len(text) {
			return text, false
		}
		text = append(text, inner[:next]...)
		if inner = inner[next:]; len(inner) == 0 {
			break
		}
		if text, inner, ok = appendEscape(text, inner); !ok {
			return text, false
		}
	}
	return text, len(text) <= limit
}

// appendEscape decodes the escape that inner begins with, and returns what is
// behind it.
func appendEscape(text, inner []byte) (_, rest []byte, ok bool) {
	if len(inner) < 2 {
		return text, nil, false
	}
	if inner[1] != 'u' {
		c := escapes[inner[1]]
		return append(text, c), inner[2:], c != 0
	}
	r, ok := hexRune(inner)
	if !ok {
		return text, nil, false
	}
	inner = inner[6:]
	if utf16.IsSurrogate(r) {
		second, _ := hexRune(inner)
		if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
			inner = inner[6:]
		}
	}
	return utf8.AppendRune(text, r), inner, true
}

// hexRune is the code unit of the escape \uXXXX that inner begins with.
func hexRune(inner []byte) (r rune, ok bool) {
	if len(inner) < 6 || inner[0] != '\\' || inner[1] != 'u' {
		return 0, false
	}
	for _, c := range inner[2:6] {
		digit := hexDigits[c]
		if digit == 0 {
			return 0, false
		}
		r = r<<4 | rune(digit-1)
	}
	return r, true
}

// hexDigits are the values of the hexadecimal digits, and one more; 0: it is none.
var hexDigits = func() (digits [256]uint8) {
	for i := range uint8(10) {
		digits['0'+i] = i + 1
	}
	for i := range uint8(6) {
		digits['a'+i], digits['A'+i] = i+11, i+11
	}
	return digits
}()
