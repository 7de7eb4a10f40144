package main

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// code is text in a code span, in a table too.
func code(text string) string {
	fence := "`"
	if strings.Contains(text, fence) {
		fence = "``"
	}
	return fence + strings.ReplaceAll(strings.ReplaceAll(text, "\n", `\n`), "|", `\|`) + fence
}

// codes are texts in code spans.
func codes[T ~string](texts []T) []string {
	var out []string
	for _, text := range texts {
		out = append(out, code(string(text)))
	}
	return out
}

// cell is text of a preset that may stand in a table.
func cell(text string) string {
	return strings.ReplaceAll(markdown.Replace(strings.Join(strings.Fields(text), " ")), "|", `\|`)
}

// enumerate joins with commas, and the last with a word.
func enumerate(items []string, word string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " " + word + " " + items[len(items)-1]
}

// markdown keeps characters of prose from being markup.
var markdown = strings.NewReplacer("<", `\<`, "*", `\*`, "`", "\\`")

// prose is text of a preset as a sentence that may stand anywhere in a page.
func prose(text string) string {
	text = markdown.Replace(strings.Join(strings.Fields(text), " "))
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// duration is a duration without zeros at its end.
func duration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

func optionalDuration(d *metav1.Duration) string {
	if d == nil {
		return ""
	}
	return duration(d.Duration)
}

// location says where something is, as in "header `X-Id`".
func location(l v1alpha1.RequestLocation) string {
	switch {
	case l.Header != "":
		return "header " + code(l.Header)
	case l.Query != "":
		return "query parameter " + code(l.Query)
	case l.Form != "":
		return "form field " + code(l.Form)
	case l.JSON != "":
		return "JSON member " + code(l.JSON)
	}
	return "claim " + code(l.Claim)
}

// manyLocations is how many places of a signature a table has room for.
const manyLocations = 4

func locations(list []v1alpha1.RequestLocation) string {
	var out []string
	for _, l := range list {
		out = append(out, location(l))
	}
	if len(out) > manyLocations {
		return fmt.Sprintf("%s and %d more up to %s", out[0], len(out)-1, out[len(out)-1])
	}
	return enumerate(out, "or")
}

// condition says what a request must meet.
func condition(c v1alpha1.RequestCondition) string {
	at := location(c.RequestLocation)
	switch {
	case c.Equals != "":
		return at + " is " + code(c.Equals)
	case c.Pattern != "":
		return at + " matches " + code(c.Pattern)
	case c.Parameter != "" && c.Optional:
		return at + " is a value of the parameter " + code(c.Parameter) + ", if that is given"
	case c.Parameter != "":
		return at + " is a value of the parameter " + code(c.Parameter)
	case c.Absent:
		return at + " is not there"
	}
	return at + " is there"
}

func conditions(list []v1alpha1.RequestCondition) string {
	var out []string
	for _, c := range list {
		out = append(out, condition(c))
	}
	return enumerate(out, "and")
}

var encodings = map[v1alpha1.SignatureEncoding]string{
	"Hex": "hexadecimal", "Base64": "base64", "Base64URL": "base64url", "Text": "as it is",
}

// signature says where the signature is, and how it is written.
func signature(s *v1alpha1.SignatureFormat) string {
	parts := []string{locations(s.From)}
	switch {
	case s.Prefix != "" && s.PrefixOptional:
		parts = append(parts, "after "+code(s.Prefix)+", which may be missing")
	case s.Prefix != "":
		parts = append(parts, "after "+code(s.Prefix))
	case s.List != nil && s.List.Prefix != "":
		parts = append(parts, "items that begin with "+code(s.List.Prefix)+", separated by "+code(s.List.Separator))
	case s.List != nil:
		parts = append(parts, "items separated by "+code(s.List.Separator))
	case s.KeyValue != nil:
		parts = append(parts, "items "+code(s.KeyValue.SignatureKey+s.KeyValue.Equals+"…")+", separated by "+code(s.KeyValue.Separator))
	case s.Pairs != nil:
		parts = append(parts, "pairs "+code("<key id>"+s.Pairs.Equals+"<signature>")+", separated by "+code(s.Pairs.Separator))
	}
	if s.Encoding != "Text" {
		parts = append(parts, encodings[s.Encoding])
	}
	return strings.Join(parts, "; ")
}

var units = map[v1alpha1.TimestampUnit]string{
	"Seconds": "in seconds since 1970", "Milliseconds": "in milliseconds since 1970", "RFC3339": "as RFC 3339",
}

// timestamp says where the time is, and how far it may be from now.
func timestamp(s *v1alpha1.SignatureScheme) string {
	if s.JWT != nil {
		if age := optionalDuration(s.JWT.MaxAge); age != "" {
			return "claims `exp` and `nbf`; `iat` at most " + age + " ago"
		}
		return "claims `exp` and `nbf`, where they are"
	}
	t := s.Timestamp
	if t == nil {
		return "none"
	}
	at := "in the signature"
	if t.From != nil {
		at = location(*t.From)
	} else if s.Signature.KeyValue != nil {
		at = "item " + code(s.Signature.KeyValue.TimestampKey+s.Signature.KeyValue.Equals+"…")
	}
	if t.Unit != "" {
		at += " " + units[t.Unit]
	}
	if t.Tolerance == nil {
		return at + "; signed, not judged"
	}
	return at + "; at most " + duration(t.Tolerance.Duration) + " from now, either way"
}

// keySteps says how the key is made of the secret.
func keySteps(steps []v1alpha1.KeyStep) string {
	var out []string
	for _, step := range steps {
		switch prefix, isTrim := strings.CutPrefix(string(step), "trim:"); {
		case isTrim:
			out = append(out, code(prefix)+" at its beginning is dropped")
		case step == "base64":
			out = append(out, "it is decoded from base64")
		case step == "hex":
			out = append(out, "it is decoded from hexadecimal digits")
		case step == "sha1":
			out = append(out, "its SHA-1 is taken")
		case step == "nfkd":
			out = append(out, "its Unicode is normalised (NFKD)")
		}
	}
	return strings.Join(out, ", then ")
}

var confidences = map[v1alpha1.FactConfidence]string{
	"Official":   "official documentation or source code",
	"ThirdParty": "documentation or source code of others",
	"Unverified": "unverified",
}

// confidence spells out where a fact comes from. What isn't stated isn't verified.
func confidence(c v1alpha1.FactConfidence) string {
	if c == "" {
		c = "Unverified"
	}
	return confidences[c]
}
