package verify

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// An unsigned handshake that answers with a MAC signs what a stranger chose: it is a
// signing oracle. The compiler proves that no text of the stranger is what a scheme
// with that key signs of an event: the text of an event needs a character that the
// guard of the handshake doesn't allow.

// need is a set of characters. A text that is signed has at least one of them.
type need string

// jsonStarts begin an object or an array.
const jsonStarts need = "{["

// base64XML and base64JSON are the first characters of the base64 of a document, which
// begins with "<", "{" or "[", or with white space. "7" is of a byte order mark. ("="
// and line breaks are skipped.)
const (
	base64XML  need = "PICD"
	base64JSON need = "eWICD7"
)

// provable reports whether no text that fits the alphabet is signed for an event
// by s, whichever content it signs.
func (s *compiledScheme) provable(letters alphabet, ids []template) bool {
	if s.token != nil {
		return letters.lacks(".") // between the parts of a token
	}
	return !slices.ContainsFunc(s.contents, func(t template) bool {
		return !slices.ContainsFunc(s.needs(t, ids), letters.lacks)
	})
}

// needs are the needs of what t says is signed.
func (s *compiledScheme) needs(t template, ids []template) (all []need) {
	for _, part := range t {
		for _, c := range part.literal {
			all = append(all, need(c))
		}
		if part.literal == "" {
			all = append(all, s.needsOf(part.variable, ids)...)
		}
	}
	return all
}

func (s *compiledScheme) needsOf(v variable, ids []template) []need {
	switch v.name {
	case varBody:
		return s.format.needs()
	case varURL, varSignedHeaders:
		return []need{":"}
	case varRequestURI:
		return []need{"/"}
	case varMembers:
		return []need{"\n"}
	case varTimestamp:
		return s.timestamp.unit.needs()
	case "form":
		return formNeeds(v.at, ids)
	}
	return nil
}

func (f BodyFormat) needs() []need {
	switch f {
	case JSONBody:
		return []need{jsonStarts}
	case JSONObject:
		return []need{"{"}
	case JSONArray:
		return []need{"["}
	}
	return nil
}

func (u Unit) needs() []need {
	switch u {
	case RFC3339:
		return []need{"-", ":"}
	case Seconds, Milliseconds:
		return []need{"0123456789"}
	}
	return nil
}

// formNeeds are the needs of a form field, if every id is read from it through the same
// first steps.
func formNeeds(at place, ids []template) []need {
	var found need
	for _, t := range ids {
		here := t.need(at)
		if here == "" || found != "" && found != here {
			return nil
		}
		found = here
	}
	return []need{found}
}

// need is the need of a field that t is read from; empty: t doesn't depend on the field.
func (t template) need(at place) need {
	for _, part := range t {
		if part.literal != "" || !part.variable.at.same(at) || len(part.variable.steps) == 0 {
			continue
		}
		first := part.variable.steps[0]
		switch first.(type) {
		case jsonDecoder:
			return jsonStarts
		case xmlDecoder:
			return "<"
		}
		if len(part.variable.steps) == 1 {
			continue
		}
		switch part.variable.steps[1].(type) {
		case jsonDecoder:
			return base64JSON
		case xmlDecoder:
			return base64XML
		}
	}
	return ""
}

// alphabet holds the characters that a text may have, as pairs of first and last.
type alphabet []rune

// everything is the alphabet of a text that nothing bounds.
var everything = alphabet{0, unicode.MaxRune}

// lacks reports whether no character of n is in the alphabet.
func (a alphabet) lacks(n need) bool {
	return n != "" && !strings.ContainsFunc(string(n), a.has)
}

func (a alphabet) has(r rune) bool {
	for i := 0; i+1 < len(a); i += 2 {
		if a[i] <= r && r <= a[i+1] {
			return true
		}
	}
	return false
}

// alphabets are those that the conditions on a place allow: each must hold.
func (c conditions) alphabets(at place) (all []alphabet) {
	for i := range c {
		switch {
		case !c[i].at.same(at):
		case c[i].equals != "":
			all = append(all, alphabetOf(c[i].equals, syntax.Literal))
		case c[i].pattern != nil:
			all = append(all, alphabetOf(c[i].pattern.String(), syntax.Perl))
		}
	}
	return all
}

// alphabetOf holds all characters of all texts that an expression matches.
func alphabetOf(expression string, flags syntax.Flags) alphabet {
	parsed, err := syntax.Parse(expression, flags)
	if err != nil {
		return everything
	}
	return letters(parsed)
}

func letters(e *syntax.Regexp) (all alphabet) {
	switch e.Op {
	case syntax.OpLiteral:
		for _, r := range e.Rune {
			all = append(all, folded(r, e.Flags)...)
		}
	case syntax.OpCharClass:
		all = append(all, e.Rune...)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return everything
	}
	for _, sub := range e.Sub {
		all = append(all, letters(sub)...)
	}
	return all
}

// folded is a character in all the cases that the expression takes it in.
func folded(r rune, flags syntax.Flags) (all alphabet) {
	all = alphabet{r, r}
	if flags&syntax.FoldCase != 0 {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			all = append(all, other, other)
		}
	}
	return all
}

// unproven names the schemes for which there is no proof: an answer with that MAC could
// pass for their signature.
func (c *compiler) unproven(h *compiledHandshake, v variable, signer *compiledScheme, schemes []compiledScheme, ids []template) (names []string) {
	bounds := append(h.guard.alphabets(v.at), h.match.alphabets(v.at)...)
	for i := range schemes {
		s := &schemes[i]
		proved := len(v.steps) == 0 && slices.ContainsFunc(bounds, func(a alphabet) bool { return s.provable(a, ids) })
		if s.sharesMAC(signer) && !proved {
			names = append(names, s.name)
		}
	}
	return names
}

// sharesMAC reports whether a MAC of signer could be one of s: the key may be the
// same, whatever the steps to it.
func (s *compiledScheme) sharesMAC(signer *compiledScheme) bool {
	if s.token != nil {
		return !s.publicKeys() && signer.named == HMACSHA256
	}
	return s.named == signer.named
}
