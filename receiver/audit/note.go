package audit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The API server takes notes of up to 1 kB.
const (
	maxNote = 1024
	// maxField bounds what a sender wrote, an event's id for example.
	maxField = 256
)

// note describes a record in one sentence. What the sender wrote is shortened and
// made printable, because people read notes in terminals.
func note(r Record) string {
	var b strings.Builder
	switch {
	case r.EventID == "":
		fmt.Fprintf(&b, "A request was %s", words(r.Status))
	case r.EventType == "":
		fmt.Fprintf(&b, "Event %s was %s", printable(r.EventID), words(r.Status))
	default:
		fmt.Fprintf(&b, "Event %s (%s) was %s", printable(r.EventID), printable(r.EventType), words(r.Status))
	}
	if r.Target != "" {
		fmt.Fprintf(&b, ", target %s, attempt %d", r.Target, r.Attempt)
	}
	if r.StatusCode != 0 {
		fmt.Fprintf(&b, ", HTTP %d", r.StatusCode)
	}
	if r.RequestID != "" {
		fmt.Fprintf(&b, ", request %s", printable(r.RequestID))
	}
	if r.ErrorMessage != "" {
		fmt.Fprintf(&b, ": %s", printable(r.ErrorMessage))
	}
	return shorten(b.String(), maxNote)
}

// words are what follows "was" for a status.
func words(s Status) string {
	switch s {
	case Duplicate:
		return "accepted before"
	case Handshake:
		return "answered as a handshake"
	case Unavailable:
		return "put off, the sender is to retry"
	case RetryScheduled:
		return "not delivered, a retry is scheduled"
	case DeadLettered:
		return "not delivered and is now a dead letter"
	case Purged:
		return "a dead letter and has been purged"
	case Expired:
		return "a dead letter for too long and has been removed"
	default:
		return string(s)
	}
}

// printable shortens a sender's text and replaces its control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, shorten(s, maxField))
}

// shorten cuts s to at most n bytes, at the beginning of a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const ellipsis = "..."
	n -= len(ellipsis)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + ellipsis
}
