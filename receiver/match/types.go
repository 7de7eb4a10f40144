package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxPattern is the length of the longest pattern, in bytes. It is that of the
// longest event type.
const maxPattern = 256

// Types are patterns of the event type, made ready. They are immutable and safe for
// concurrent use.
type Types []pattern

// ParseTypes reads patterns such as "invoice.*". The error names the one that is
// wrong.
func ParseTypes(patterns []string) (Types, error) {
	if len(patterns) > maxTypes {
		return nil, fmt.Errorf("types: there may be at most %d", maxTypes)
	}
	var types Types
	for i, text := range patterns {
		p, err := parsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("types[%d]: %w", i, err)
		}
		types = append(types, p)
	}
	return types, nil
}

const (
	// separator stands between the types of a batch.
	separator = ","
	// cut ends a text of types that lacks some.
	cut = "…"
)

// Match reports whether one of the patterns fits, or there are no patterns. It judges
// by what is stored of an event: the text of its types, as people see it. With commas
// it is the text of a batch, and one of the parts has to fit. One that ends in cut
// lacks types, so it fits every pattern.
func (t Types) Match(text string) bool {
	return t.fit(append(strings.Split(text, separator), text), strings.HasSuffix(text, cut))
}

// fit reports whether one of the patterns fits one of the types, or there are no
// patterns. If there are more types than these, one of them could fit.
func (t Types) fit(types []string, more bool) bool {
	return len(t) == 0 || more || slices.ContainsFunc(types, t.one)
}

// one reports whether one of the patterns fits a type.
func (t Types) one(eventType string) bool {
	return slices.ContainsFunc(t, func(p pattern) bool { return p.match(eventType) })
}

// pattern is an event type in which "*" stands for any characters, none
// included. It is kept as the texts between the stars.
type pattern []string

// parsePattern reads "invoice.*". There is no way to write a star that means
// itself: no sender has one in its types.
func parsePattern(text string) (pattern, error) {
	switch {
	case text == "":
		return nil, errors.New(`a pattern must not be empty: "*" stands for all types`)
	case len(text) > maxPattern:
		return nil, fmt.Errorf("a pattern must not be longer than %d bytes", maxPattern)
	}
	return strings.Split(text, "*"), nil
}

// match reports whether all of an event type fits. Its time is linear in the
// length of the type times that of the pattern, whatever they are.
func (p pattern) match(eventType string) bool {
	first, last := p[0], p[len(p)-1]
	if len(p) == 1 {
		return eventType == first
	}
	if len(eventType) < len(first)+len(last) || !strings.HasPrefix(eventType, first) || !strings.HasSuffix(eventType, last) {
		return false
	}
	rest := eventType[len(first) : len(eventType)-len(last)]
	for _, part := range p[1 : len(p)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return true
}
