package intake

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
)

// The layout of a traceparent of version 00,
// "00-<32 hex: trace>-<16 hex: parent>-<2 hex: flags>"; see
// https://www.w3.org/TR/trace-context/#traceparent-header.
const (
	traceParentLength = 55
	traceIDStart      = 3
	traceIDEnd        = 35
	parentIDStart     = 36
	parentIDEnd       = 52
	flagsStart        = 53
)

// traceParent returns the sender's trace, so that it goes on to the target, or starts
// one. A trace that starts here is not sampled: the recorder of traces decides that.
func traceParent(header http.Header) string {
	if values := header.Values("Traceparent"); len(values) == 1 && validTraceParent(values[0]) {
		return values[0]
	}
	return newTraceParent()
}

// validTraceParent reports whether text follows the specification. Text of a
// later version may go on after the fields that version 00 has.
func validTraceParent(text string) bool {
	if len(text) < traceParentLength {
		return false
	}
	version, rest := text[:2], text[traceParentLength:]
	switch {
	case !lowerHex(version) || version == "ff":
		return false
	case version == "00" && rest != "":
		return false
	case rest != "" && (rest[0] != '-' || len(rest) > 128):
		return false
	}
	trace, parent := text[traceIDStart:traceIDEnd], text[parentIDStart:parentIDEnd]
	return text[2] == '-' && text[traceIDEnd] == '-' && text[parentIDEnd] == '-' &&
		lowerHex(trace) && lowerHex(parent) && lowerHex(text[flagsStart:traceParentLength]) &&
		strings.Trim(trace, "0") != "" && strings.Trim(parent, "0") != ""
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func newTraceParent() string {
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails: see crypto/rand
	text := make([]byte, 0, traceParentLength)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, random[:16])
	text = append(text, '-')
	text = hex.AppendEncode(text, random[16:])
	return string(append(text, "-00"...))
}
