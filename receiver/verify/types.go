package verify

import (
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// eventTypes are the different types of a request, in their order.
type eventTypes struct {
	list []string
	more bool // there are others
}

// typesOf reads the types of a request. A template of a batch has one for each
// element that has all its variables; the elements that lack one are left to the
// templates after it.
func (v *Verifier) typesOf(s *scope) (eventTypes, *Rejection) {
	var found eventTypes
	for _, t := range v.types {
		whole, rejection := found.read(t, s)
		if rejection != nil {
			return eventTypes{}, rejection
		}
		if whole {
			break
		}
	}
	return found, nil
}

// read adds what t says. whole: no element is left to the templates after it.
func (e *eventTypes) read(t template, s *scope) (whole bool, rejection *Rejection) {
	if array, _ := t.arrays(); array == "" { // as with most: one text for the request
		kind, ok, rejection := t.text(s)
		e.add(kind)
		return ok, rejection
	}
	rows, rejection := t.rows(s)
	for _, kind := range rows.values {
		e.add(kind)
	}
	e.more = e.more || rows.cut
	return rows.whole, rejection
}

// add takes a type that is new. What can't be one is left out: it is for routing,
// and no route could name it.
func (e *eventTypes) add(kind string) {
	switch {
	case kind == "" || !printable(kind) || slices.Contains(e.list, kind):
	case len(e.list) == maxTypes:
		e.more = true
	default:
		e.list = append(e.list, kind)
	}
}

const (
	typeSeparator = ","
	// cutMark ends a text in which types are missing.
	cutMark = "…"
)

// text is for people, and for what is kept of the event: as many of the types as
// one may be long, and cutMark instead of the others.
func (e *eventTypes) text() string {
	all := strings.Join(e.list, typeSeparator)
	if !e.more && len(all) <= maxIdentity {
		return all
	}
	var shown string
	for _, kind := range e.list {
		if len(shown)+len(kind)+len(typeSeparator)+len(cutMark) > maxIdentity {
			break
		}
		shown += kind + typeSeparator
	}
	return shown + cutMark
}

// column are the values of a variable, or the texts of a template: one for each
// element of an array, and empty where an element has none.
type column struct {
	values []string
	// whole: no element is without its value, and there is at least one.
	whole bool
	// cut: there are more than maxValues.
	cut bool
}

// rows writes t for each element of the array that its variables with "*" run over.
// The other variables are the same for all. The compiler allows one array only, so the
// values of an element have the same index.
func (t template) rows(s *scope) (column, *Rejection) {
	columns := make([]column, len(t))
	rows := column{whole: true}
	count := 1
	for i, part := range t {
		if part.literal != "" {
			continue
		}
		found, rejection := part.variable.column(s)
		if rejection != nil || len(found.values) == 0 {
			return column{}, rejection
		}
		columns[i] = found
		count = max(count, len(found.values))
		rows.whole, rows.cut = rows.whole && found.whole, rows.cut || found.cut
	}
	for row := range count {
		rows.values = append(rows.values, t.row(columns, row))
	}
	return rows, nil
}

// row is the text of one element; empty if it lacks a variable.
func (t template) row(columns []column, row int) string {
	var b strings.Builder
	for i, part := range t {
		value := part.literal
		if value == "" {
			values := columns[i].values
			if value = values[min(row, len(values)-1)]; value == "" {
				return ""
			}
		}
		b.WriteString(value)
	}
	return b.String()
}

// column is the value of a variable of a type; for each element, if it is wild.
func (v variable) column(s *scope) (column, *Rejection) {
	if !v.wild() {
		text, rejection := v.identifies(s)
		if rejection != nil || text == "" {
			return column{}, rejection
		}
		return column{values: []string{text}, whole: true}, nil
	}
	c := column{whole: true}
	if v.at.pointer.Wild() {
		text := s.request.document(v.at.kind)
		if text == nil {
			return column{}, nil
		}
		c.walk(v.at.pointer, text)
	} else {
		text, rejection := s.request.lookup(v.at)
		if rejection != nil || text == "" {
			return column{}, rejection
		}
		c.values = []string{text}
	}
	for i, step := range v.steps {
		elements := !slices.ContainsFunc(v.steps[i:], decoder.wild)
		c = c.decode(step, elements)
	}
	return c, nil
}

// decode applies a step to all values. Before the last array, a value that can't be
// decoded is of no element; after it, elements says so, its element lacks the value.
func (c column) decode(step decoder, elements bool) column {
	next := column{whole: c.whole, cut: c.cut}
	for _, text := range c.values {
		if d, ok := step.(jsonDecoder); ok && d.wild() {
			if array := []byte(text); document.Valid(array) {
				next.walk(d.at, array)
			} else {
				next.whole = false
			}
			continue
		}
		value := ""
		if found, _ := step.decode(text, 1); len(found) > 0 {
			value = found[0]
		}
		next.add(value, elements)
	}
	return next
}

// walk adds what p leads to from the start of a valid document on.
func (c *column) walk(p document.Pointer, text []byte) {
	text = document.SkipSpace(text)
	for i, token := range p {
		if token == document.AnyElement {
			c.each(p[i+1:], text)
			return
		}
		if text = document.Child(text, token); text == nil {
			c.add("", !p.Wild())
			return
		}
	}
	value, _ := document.Text(document.Value(text))
	c.add(value, true)
}

// each adds what p leads to from each element of an array.
func (c *column) each(p document.Pointer, array []byte) {
	if len(array) == 0 || array[0] != '[' {
		c.whole = false
		return
	}
	for rest := document.First(array); rest != nil && !c.cut; rest = document.Next(rest) {
		c.walk(p, rest)
	}
}

// add adds a value; an empty one only if it is that of an element.
func (c *column) add(value string, element bool) {
	c.whole = c.whole && value != ""
	switch {
	case value == "" && !element:
	case len(c.values) == maxValues:
		c.cut = true
	default:
		c.values = append(c.values, value)
	}
}
