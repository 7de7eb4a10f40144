package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// template is text with variables. Each segment is a literal or a variable.
type template []segment

type segment struct {
	literal  string
	variable variable // if literal is empty
}

// parseTemplate reads "v0:{timestamp}:{body}". "{{" and "}}" stand for braces.
func parseTemplate(text string, u use) (template, error) {
	if text == "" || len(text) > maxTemplate {
		return nil, fmt.Errorf("a template must have from 1 to %d bytes", maxTemplate)
	}
	var (
		t       template
		literal strings.Builder
	)
	flush := func() {
		if literal.Len() > 0 {
			t = append(t, segment{literal: literal.String()})
			literal.Reset()
		}
	}
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			literal.WriteByte(rest[0])
			rest = rest[2:]
		case rest[0] == '}':
			return nil, errors.New("there is a '}' without '{' before it: write '}}' for a brace")
		case rest[0] == '{':
			name, after, ok := strings.Cut(rest[1:], "}")
			if !ok {
				return nil, errors.New("there is a '{' without '}' after it: write '{{' for a brace")
			}
			v, err := parseVariable(name, u)
			if err != nil {
				return nil, err
			}
			flush()
			t = append(t, segment{variable: v})
			rest = after
		default:
			literal.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	flush()
	return t, t.validate()
}

// validate bounds a template. The body may occur once: see message.
func (t template) validate() error {
	switch {
	case len(t) > maxSegments:
		return fmt.Errorf("a template may have at most %d parts", maxSegments)
	case t.count(varBody) > 1:
		return errors.New("a template may contain {body} once")
	}
	return nil
}

// count says how often a variable occurs.
func (t template) count(name string) (n int) {
	for _, s := range t {
		if s.variable.name == name {
			n++
		}
	}
	return n
}

func (t template) has(name string) bool { return t.count(name) > 0 }

// hasURL reports whether t contains the URL.
func (t template) hasURL() bool { return t.has(varURL) || t.has(varRequestURI) }

// reads reports whether a variable of t reads that place.
func (t template) reads(at place) bool {
	for _, s := range t {
		if _, ok := placed[s.variable.name]; ok && s.variable.at.same(at) {
			return true
		}
		if at.kind == inJSON && len(at.pointer) > 0 && slices.Contains(s.variable.members, at.pointer[0]) {
			return true // a member of {members:…} is a text: there is nothing below it
		}
	}
	return false
}

// message writes t for a request. head is where to put what stands before the
// body.
func (t template) message(head []byte, s *scope) (message, *Rejection) {
	m := message{Message: keymaterial.Message{Head: head}}
	text := &m.Head
	for _, part := range t {
		var rejection *Rejection
		switch {
		case part.literal != "":
			*text = append(*text, part.literal...)
		case part.variable.name == varBody:
			m.Body, m.whole, text = s.request.content(), true, &m.Tail
		case part.variable.name == varFormSorted && !t.has(varBody) && m.Body == nil:
			if m.Body, rejection = s.request.sortedForm(); rejection != nil {
				return message{}, rejection
			}
			text = &m.Tail
		default:
			if *text, rejection = part.variable.appendSigned(*text, s); rejection != nil {
				return message{}, rejection
			}
		}
	}
	return m, nil
}

// adjacent reports whether two variables stand side by side.
func (t template) adjacent() bool {
	for i := range t[:max(0, len(t)-1)] {
		if t[i].literal == "" && t[i+1].literal == "" {
			return true
		}
	}
	return false
}

// arrays are the first array that variables of t run over, and one that differs
// from it; empty: there is none.
func (t template) arrays() (first, other string) {
	for _, part := range t {
		switch array := part.variable.array; {
		case array == "" || array == first:
		case first == "":
			first = array
		default:
			return first, array
		}
	}
	return first, ""
}

// describe names what t is made of.
func (t template) describe() string {
	var parts []string
	for _, part := range t {
		if part.literal == "" {
			parts = append(parts, part.variable.String())
		}
	}
	return strings.Join(parts, " and ")
}

// text writes t for an identity or an answer. ok is false if a variable is missing.
//
// In an id, no value but the last may run into the text behind it: "a#b" and "c" are
// not "a" and "b#c".
func (t template) text(s *scope) (text string, ok bool, rejection *Rejection) {
	var b strings.Builder
	for i, part := range t {
		value := part.literal
		if value == "" {
			if value, rejection = part.variable.text(s); rejection != nil || value == "" {
				return "", false, rejection
			}
			if part.variable.use == forID && i < len(t)-1 {
				value = t.escape(value)
			}
		}
		if len(t) == 1 {
			return value, true, nil // what most are needs no copy
		}
		b.WriteString(value)
	}
	return b.String(), true, nil
}

// escape percent-encodes "%" and the characters of t's literals.
func (t template) escape(value string) string {
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; c == '%' || slices.ContainsFunc(t, func(s segment) bool { return strings.IndexByte(s.literal, c) >= 0 }) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
