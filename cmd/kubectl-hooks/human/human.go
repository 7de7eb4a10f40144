// Package human writes values for people who read them on a terminal: sizes and
// ages with units, bodies in lines, words of a shell. Texts that senders and targets
// chose lose what would steer the terminal.
package human

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// None stands in tables where nothing is known.
const None = "-"

// Age is how long ago a time is, as kubectl writes it.
func Age(now, at time.Time) string {
	if at.IsZero() {
		return None
	}
	return duration.HumanDuration(max(0, now.Sub(at)))
}

// AgeOf is Age, for fields that may be missing.
func AgeOf(now time.Time, at *metav1.Time) string {
	if at == nil {
		return None
	}
	return Age(now, at.Time)
}

// Ago is Age in a sentence.
func Ago(now, at time.Time) string { return Age(now, at) + " ago" }

// Size is a number of bytes, with a unit (IEC 80000-13) from 1024 on.
func Size(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + "B"
	}
	value := float64(n)
	for _, name := range []string{"KiB", "MiB", "GiB"} {
		if value /= unit; value < unit {
			return fmt.Sprintf("%.1f%s", value, name)
		}
	}
	return fmt.Sprintf("%.1fTiB", value/unit)
}

// Count is a number with a noun, in the plural if need be.
func Count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// OrNone is a text, or the sign that there is none.
func OrNone(text string) string {
	if text == "" {
		return None
	}
	return text
}

// Harmless is a text that somebody else chose, without what steers a terminal and
// without what changes the direction of text, and so the order in which people read
// it. Lines stay lines.
func Harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.In(r, unicode.Cc, unicode.Bidi_Control) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// OneLine is a harmless text in one line.
func OneLine(text string) string {
	return strings.Join(strings.Fields(Harmless(text)), " ")
}

// ShellWord is a text as a word of a shell's command line (POSIX 2.2.2).
func ShellWord(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("-_./:@%+=,", r) && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Readable is a body for people: JSON in lines, text as it is, and nothing of what
// is neither.
func Readable(body []byte) string {
	var pretty bytes.Buffer
	switch {
	case len(body) == 0:
		return "(empty)"
	case json.Indent(&pretty, body, "", "  ") == nil:
		return Harmless(pretty.String())
	case utf8.Valid(body):
		return Harmless(string(body))
	}
	return fmt.Sprintf("(%s that are no text: --body prints them as they are)", Count(int64(len(body)), "byte"))
}

// Took is how long something took, for tables.
func Took(milliseconds int64) string {
	if milliseconds == 0 {
		return "<1ms"
	}
	return (time.Duration(milliseconds) * time.Millisecond).String()
}

// Width is how many cells of a terminal a text fills: characters of Chinese, Japanese
// and Korean, and emoji, fill two, and combining marks none.
func Width(text string) int {
	cells := 0
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			cells += 2
		default:
			cells++
		}
	}
	return cells
}
