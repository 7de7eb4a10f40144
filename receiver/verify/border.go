package verify

import (
	"fmt"
	"slices"
	"strings"
)

// A content puts the body beside other parts of a request. Where nothing marks the
// border between the two, an attacker who holds one genuine request can move bytes
// from one to the other, and the signature still matches.

// neighbours are the variables of t that could give bytes to the body, or take some
// from it. A variable can't if, between it and the body, there is a text that it can't
// contain. A body that must be JSON marks its borders itself: neither a part of an
// object nor an object with something before it is JSON.
func (s *compiledScheme) neighbours(t template) (names []string) {
	if len(s.format.needs()) > 0 {
		return nil
	}
	return s.beside(t)
}

// beside is neighbours without regard to the format of the body. If there are any, the
// border depends on the format, so the body must be JSON before it is decoded, too.
func (s *compiledScheme) beside(t template) (names []string) {
	at := slices.IndexFunc(t, func(part segment) bool { return part.variable.name == varBody })
	if at < 0 {
		return nil
	}
	before, after := slices.Clone(t[:at]), t[at+1:]
	slices.Reverse(before)
	for _, side := range [][]segment{before, after} {
		if v, loose := s.loose(side); loose {
			names = append(names, v.String())
		}
	}
	return names
}

// loose reports whether the first variable of a side can run into the body.
func (s *compiledScheme) loose(side []segment) (variable, bool) {
	between := ""
	for _, part := range side {
		if part.literal == "" {
			return part.variable, part.variable.name != varSecret && !strings.ContainsFunc(between, func(r rune) bool { return s.never(part.variable, r) })
		}
		between += part.literal
	}
	return variable{}, false
}

// never reports whether the value of a variable can't contain a character.
func (s *compiledScheme) never(v variable, r rune) bool {
	digit := r >= '0' && r <= '9'
	switch {
	case v.name == varTimestamp && (s.timestamp.unit == Seconds || s.timestamp.unit == Milliseconds):
		return !digit
	case v.name == varTimestamp && s.timestamp.unit == RFC3339:
		return !digit && !strings.ContainsRune("-:.+TtZz ", r)
	case v.name == varMethod:
		return r < 'A' || r > 'Z'
	case v.name == varCRC32:
		return !digit
	case v.name == varURL, v.name == varRequestURI:
		return r <= ' '
	}
	return r < ' ' // of a header, and all that comes in one
}

// Movable reports whether a content of the provider can be taken apart in more than one
// way, so that it could be the content of an event with another id. It is false for a
// provider that can't be compiled.
func (p Provider) Movable() bool {
	v, err := Compile(p)
	if err != nil || len(v.ids) == 0 {
		return false
	}
	fixed, inBody := true, true
	for _, t := range v.ids {
		fixed = fixed && t.has(varSignedSHA256) // the same content has the same id
		inBody = inBody && t.has("json")        // the body must be JSON, or there is no id
	}
	return !fixed && slices.ContainsFunc(v.schemes, func(s compiledScheme) bool {
		return slices.ContainsFunc(s.contents, func(t template) bool { return s.open(t, inBody) > 1 })
	})
}

// open counts the variables of t that could contain the text behind them, too. A single
// one has its borders in what is around it. isJSON: the body must be JSON.
func (s *compiledScheme) open(t template, isJSON bool) (n int) {
	for i, part := range t {
		if part.literal == "" && !s.closed(part.variable, isJSON) && !s.ends(part.variable, t[i+1:]) {
			n++
		}
	}
	return n
}

// closed reports whether a variable has one of few values, or a value that marks its own
// end.
func (s *compiledScheme) closed(v variable, isJSON bool) bool {
	switch v.name {
	case varBody:
		return isJSON || len(s.format.needs()) > 0
	case varTimestamp:
		return s.timestamp.unit != ""
	case varMethod, varSecret, varParam, varCRC32, varBodySHA256, varMembers, varSignedHeaders:
		return true
	}
	return false
}

// ends reports whether what comes behind a variable can't stand in it.
func (s *compiledScheme) ends(v variable, behind template) bool {
	if len(behind) == 0 || v.at.kind == inForm || v.at.kind == inJSON || v.name == varBody || v.name == varFormSorted {
		return false
	}
	return strings.ContainsFunc(behind[0].literal, func(r rune) bool { return s.never(v, r) })
}

// checkDigestIDs refuses an id that is a digest of the body if an attacker can change
// the body, and with it the id, under a signature that still matches.
func (c *compiler) checkDigestIDs(v *Verifier) {
	byBody := slices.ContainsFunc(v.ids, func(t template) bool { return t.has(varBodySHA256) })
	for i := range v.schemes {
		s := &v.schemes[i]
		if !byBody || s.bearer() {
			continue
		}
		for _, t := range s.contents {
			names := s.neighbours(t)
			c.check(len(names) == 0, fmt.Sprintf("schemes[%d].bodyFormat", i), "is missing, and {body_sha256} is an id: bytes could move between the body and %s, "+
				"and make a new event; say that the body is JSON, or make the id of {signed_sha256}", strings.Join(names, " and "))
			c.check(s.coversBody(t), "identity.id", "has {body_sha256}, and the scheme %s does not sign all of the body: another body would be a new event; use {signed_sha256}", s.name)
		}
	}
}
