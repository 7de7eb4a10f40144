package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// coversBody reports whether every byte of the body is signed.
func (s *compiledScheme) coversBody(t template) bool {
	return t.has(varBody) || t.has(varBodySHA256) || s.bodyDigest != nil && !s.bodyDigest.optional
}

// coversPartOfBody reports whether the content contains the body in some form.
// Single JSON members are too little to count.
func (s *compiledScheme) coversPartOfBody(t template) bool {
	return s.coversBody(t) || t.has(varCRC32) || t.has(varFormSorted) || t.has(varMembers) || t.has("form")
}

// coversTimestamp reports whether the timestamp is signed.
func (s *compiledScheme) coversTimestamp(t template) bool {
	if t.has(varTimestamp) {
		return true
	}
	return !s.timestamp.inSignature && s.coversPlace(t, s.timestamp.from)
}

// coversPlace reports whether what is in a place is signed.
func (s *compiledScheme) coversPlace(t template, at place) bool {
	switch {
	case t.reads(at),
		s.id != nil && s.id.same(at),
		s.headers.covers(at) && t.has(varSignedHeaders),
		s.token != nil && at.kind == inClaim,
		s.timestamp != nil && !s.timestamp.inSignature && s.timestamp.from.same(at) && t.has(varTimestamp):
		return true
	case at.kind == inQuery:
		return t.hasURL() || s.token.signsURL()
	case at.kind == inForm:
		// Whether the body is a form, an unsigned header says; and in a sorted form, names
		// and values have no borders.
		return s.coversBody(t) && (s.mediaType == formType || s.format == FormBody)
	case at.kind == inJSON:
		return s.coversBody(t)
	}
	return false
}

// covers reports whether a variable of an identity is signed, whichever content was.
func (s *compiledScheme) covers(v variable) bool {
	for _, t := range s.contents {
		covered := true // {id} and {timestamp}: the compiler insists on it
		if v.name == varBodySHA256 {
			covered = s.coversBody(t)
		} else if _, ok := placed[v.name]; ok {
			covered = s.coversPlace(t, v.at)
		}
		if !covered {
			return false
		}
	}
	return !s.credential
}

// present reports whether a variable has a value in every request that s accepts
// (always) or in none (never).
func (s *compiledScheme) present(v variable) (always, never bool) {
	switch v.name {
	case varBodySHA256, varSignedSHA256:
		return true, false
	case varID:
		return s.id != nil, s.id == nil
	case varTimestamp:
		return s.timestamp != nil, s.timestamp == nil
	case "json":
		return false, false
	case "claim":
		return false, s.token == nil
	}
	always = len(s.contents) > 0 && len(v.steps) == 0 && !v.at.pointer.Wild()
	for _, t := range s.contents {
		always = always && t.reads(v.at)
	}
	return always, false
}

// uncovered lists the variables of an identity that can come from places which
// s doesn't sign. Templates after one that is always there are never reached.
func (s *compiledScheme) uncovered(templates []template) (unsigned []string) {
	for _, t := range templates {
		allAlways, anyNever, open := true, false, []string(nil)
		for _, part := range t {
			if part.literal != "" {
				continue
			}
			always, never := s.present(part.variable)
			allAlways, anyNever = allAlways && always, anyNever || never
			if !s.covers(part.variable) && !slices.Contains(unsigned, part.variable.String()) {
				open = append(open, part.variable.String())
			}
		}
		if anyNever {
			continue
		}
		unsigned = append(unsigned, open...)
		if allAlways {
			break
		}
	}
	return unsigned
}

// String names the variable for people.
func (v variable) String() string {
	if _, ok := placed[v.name]; ok {
		return v.at.String()
	}
	return "{" + v.name + "}"
}

// IDCovered reports whether the event id is covered by the signature in every
// scheme, so that nobody can send a captured body again under a new id. It is
// false for a provider that can't be compiled.
func (p Provider) IDCovered() bool {
	v, err := Compile(p)
	if err != nil {
		return false
	}
	for i := range v.schemes {
		if v.schemes[i].credential || len(v.schemes[i].uncovered(v.ids)) > 0 {
			return false
		}
	}
	return true
}

// Unauthenticated lists, in a sentence for each scheme that has gaps, what an attacker
// who holds one genuine request could change without being noticed.
func (v *Verifier) Unauthenticated() []string {
	var sentences []string
	for i := range v.schemes {
		s := &v.schemes[i]
		gaps := s.gaps(v.ids, v.types)
		if twins := v.twins(s); len(twins) > 0 {
			gaps = append(gaps, "that the body is no form: its signature passes for one of "+strings.Join(twins, ", ")+", with other fields beside it")
		}
		if len(gaps) > 0 {
			sentences = append(sentences, s.name+": "+strings.Join(gaps, "; "))
		}
	}
	return sentences
}

func (s *compiledScheme) gaps(ids, types []template) (gaps []string) {
	if s.credential {
		return []string{"the body and all headers: the sender proves only that it knows the secret"}
	}
	if gap := s.bodyGap(); gap != "" {
		gaps = append(gaps, gap)
	}
	if gap := s.borderGap(); gap != "" {
		gaps = append(gaps, gap)
	}
	if unsigned := s.uncovered(ids); len(unsigned) > 0 {
		gaps = append(gaps, "the event id ("+strings.Join(unsigned, ", ")+")")
	}
	if unsigned := s.uncovered(types); len(unsigned) > 0 {
		gaps = append(gaps, "the event type ("+strings.Join(unsigned, ", ")+")")
	}
	if gap := s.timeGap(); gap != "" {
		gaps = append(gaps, gap)
	}
	return gaps
}

// timeGap says what a request that was captured is good for later.
func (s *compiledScheme) timeGap() string {
	switch {
	case s.token != nil && s.token.maxAge > 0, s.timestamp != nil && s.timestamp.tolerance > 0:
		return ""
	case s.token != nil:
		return "the time, unless the token says when it expires (exp)"
	}
	return "the time: a request that was captured passes again once its event is forgotten (deduplication.window)"
}

// borderGap says where bytes can move between the body and what is beside it.
func (s *compiledScheme) borderGap() string {
	var names []string
	for _, t := range s.contents {
		names = append(names, s.neighbours(t)...)
		if t.has(varFormSorted) && t.hasURL() {
			names = append(names, "{url}")
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return ""
	}
	return "the border between the body and " + strings.Join(names, ", and between it and ")
}

// twins names the schemes that accept signatures of s with another body: s signs the
// body as a whole, and they sign one field of it and leave the others unsigned.
func (v *Verifier) twins(s *compiledScheme) (names []string) {
	whole := func(t template, name string) bool { return len(t) == 1 && t[0].variable.name == name }
	for i := range v.schemes {
		other := &v.schemes[i]
		shared := slices.ContainsFunc(other.from, func(at place) bool { return slices.ContainsFunc(s.from, at.same) })
		if other == s || other.named != s.named || !shared {
			continue
		}
		if slices.ContainsFunc(s.contents, func(t template) bool { return whole(t, varBody) }) &&
			slices.ContainsFunc(other.contents, func(t template) bool { return whole(t, "form") }) {
			names = append(names, other.name)
		}
	}
	return names
}

// bodyGap says which part of the body is not signed.
func (s *compiledScheme) bodyGap() string {
	t := s.contents[0]
	switch {
	case s.coversBody(t):
		return ""
	case t.has(varFormSorted):
		return "the order and the spelling of form fields, and where a name ends and its value begins"
	case t.has(varCRC32):
		return "the body, but for its CRC-32, which others can produce, too"
	}
	var members []string
	for _, part := range t {
		for _, name := range part.variable.members {
			members = append(members, "JSON member /"+name)
		}
		if k, ok := placed[part.variable.name]; ok && (k == inForm || k == inJSON) {
			members = append(members, part.variable.at.String())
		}
	}
	if s.timestamp != nil && s.timestamp.from.kind == inJSON && t.has(varTimestamp) {
		members = append(members, s.timestamp.from.String())
	}
	if len(members) == 0 {
		return "the body"
	}
	return fmt.Sprintf("the body, but for %s", strings.Join(members, ", "))
}

// Lifetime is how long after it was first accepted a request may be accepted again,
// judging by its times: the event has to be remembered for so long. 0: no scheme looks
// at times, and a request can be sent again for ever.
func (v *Verifier) Lifetime() (longest time.Duration) {
	for i := range v.schemes {
		s := &v.schemes[i]
		if s.timestamp != nil {
			longest = max(longest, 2*s.timestamp.tolerance)
		}
		if s.token != nil && s.token.maxAge > 0 {
			longest = max(longest, s.token.maxAge+clockLeeway)
		}
	}
	return longest
}

// NeedsURL reports whether a scheme signs the URL, so that the receiver has to know its
// public URL.
func (v *Verifier) NeedsURL() bool {
	return slices.ContainsFunc(v.schemes, func(s compiledScheme) bool {
		return s.token.signsURL() || slices.ContainsFunc(s.contents, template.hasURL)
	})
}
