package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// none stands in tables where nothing is known.
const none = "-"

// age is how long ago a time is, as kubectl writes it.
func age(now, at time.Time) string {
	if at.IsZero() {
		return none
	}
	return duration.HumanDuration(max(0, now.Sub(at)))
}

// ageOf is age, for fields that may be missing.
func ageOf(now time.Time, at *metav1.Time) string {
	if at == nil {
		return none
	}
	return age(now, at.Time)
}

// ago is age in a sentence.
func ago(now, at time.Time) string { return age(now, at) + " ago" }

// size is a number of bytes, with a unit (IEC 80000-13) from 1024 on.
func size(bytes int64) string {
	const unit = 1024
	if bytes < unit {
		return strconv.FormatInt(bytes, 10) + "B"
	}
	value := float64(bytes)
	for _, name := range []string{"KiB", "MiB", "GiB"} {
		if value /= unit; value < unit {
			return fmt.Sprintf("%.1f%s", value, name)
		}
	}
	return fmt.Sprintf("%.1fTiB", value/unit)
}

// count is a number with a noun, in the plural if need be.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// orNone is a text, or the sign that there is none.
func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}

// harmless is a text that somebody else chose, without what steers a terminal.
// Lines stay lines.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) && !isBidi(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// isBidi reports whether a character changes the direction of text (Unicode
// Standard Annex 9), and so the order in which people read it.
func isBidi(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// oneLine is a harmless text in one line.
func oneLine(text string) string {
	return strings.Join(strings.Fields(harmless(text)), " ")
}

// shellWord is a text as a word of a shell's command line (POSIX 2.2.2).
func shellWord(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("-_./:@%+=,", r) && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
