package verify

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// errEncoding is returned for text that is not of its encoding. It says
// nothing of the text.
var errEncoding = errors.New("the text is not of its encoding")

// strictBase64 refuses what decodes to the same bytes as another text.
var (
	strictBase64    = base64.StdEncoding.Strict()
	strictBase64URL = base64.RawURLEncoding.Strict()
)

// decode returns the bytes of a signature. There is one text for each sequence
// of bytes (hex: one up to case), so that a signature can't be dressed up:
// Base64 must be padded and end in zero bits, and line breaks, which Go's
// decoder skips, are refused.
func (e Encoding) decode(text string) ([]byte, error) {
	switch e {
	case Hex:
		return hex.DecodeString(text)
	case Base64:
		return decodeLine(strictBase64, text)
	case Base64URL:
		return decodeLine(strictBase64URL, strings.TrimRight(text, "="))
	default:
		return []byte(text), nil
	}
}

// encode is the inverse of decode.
func (e Encoding) encode(b []byte) string {
	switch e {
	case Hex:
		return hex.EncodeToString(b)
	case Base64:
		return base64.StdEncoding.EncodeToString(b)
	case Base64URL:
		return base64.RawURLEncoding.EncodeToString(b)
	default:
		return string(b)
	}
}

// decodeLine decodes text that must be one line.
func decodeLine(encoding *base64.Encoding, text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errEncoding
	}
	return encoding.DecodeString(text)
}

// spelling says what text of the encoding looks like.
func (e Encoding) spelling() string {
	switch e {
	case Hex:
		return "hexadecimal digits only"
	case Base64:
		return "base64 with its padding, on one line"
	case Base64URL:
		return "base64url, on one line"
	default:
		return "a text that is not empty"
	}
}

// validate checks that e is one of the encodings.
func (e Encoding) validate() error {
	switch e {
	case Hex, Base64, Base64URL, Text:
		return nil
	}
	return fmt.Errorf("is %q: it must be Hex, Base64, Base64URL or Text", e)
}

// decodeBasic reads "Basic <base64 of user:password>" (RFC 7617). The name of
// the scheme may have any case (RFC 9110 §11.1).
func decodeBasic(value string) ([]byte, error) {
	const scheme = "Basic "
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return nil, errEncoding
	}
	return Base64.decode(strings.TrimLeft(value[len(scheme):], " "))
}
