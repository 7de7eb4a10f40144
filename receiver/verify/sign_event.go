package verify

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// PutEventID puts an id where the scheme of that name, or the first, reads the
// event's, as Sign does. It reports whether there is such a place: some providers
// number nothing, and others do so in what is signed only. r is unchanged then.
func (v *Verifier) PutEventID(r *Request, scheme, id string) bool {
	i := slices.IndexFunc(v.schemes, func(s compiledScheme) bool { return s.name == scheme })
	w := signing{v: v, s: &v.schemes[max(i, 0)], r: r.clone(), m: &Material{}}
	put := w.put(v.ids, id, true) || w.create(v.ids, id, true)
	if put {
		*r = *w.r
	}
	return put
}

// setIdentity gives the event its id and its type.
func (w *signing) setIdentity() error {
	id := w.o.EventID
	if text, rejection := first(w.v.ids, w.scope()); id == "" && (rejection != nil || text == "") {
		id = w.o.FreshID
	}
	if id != "" && !w.put(w.v.ids, id, true) && !w.create(w.v.ids, id, true) && w.o.EventID != "" {
		return w.cannot("leaves no choice of an event id: the provider makes it of %s; leave it out, or change the body", w.v.idPlaces())
	}
	kind := w.o.EventType
	if types, _ := w.v.typesOf(w.scope()); kind != types.text() && kind != "" && !w.put(w.v.types, kind, false) {
		w.create(w.v.types, kind, false)
	}
	return nil // whether the type is the one that was asked for, check says
}

// scope is what the variables of an identity get their values from.
func (w *signing) scope() *scope {
	return &scope{request: w.r, id: w.id, timestamp: w.timestamp}
}

// put makes the first template that the request has all parts of yield text. It reports
// whether there was one.
func (w *signing) put(templates []template, text string, isID bool) bool {
	return slices.ContainsFunc(templates, func(t template) bool { return w.fill(t, text, isID, w.open) })
}

// create is put, but adds parts that the request lacks.
func (w *signing) create(templates []template, text string, isID bool) bool {
	return slices.ContainsFunc(templates, func(t template) bool { return w.fill(t, text, isID, w.free) })
}

// present reports whether a variable has a value.
func (w *signing) present(v variable) bool {
	text, rejection := v.identifies(w.scope())
	return rejection == nil && text != ""
}

// open reports whether a variable's value can be chosen in a request that
// otherwise stays what it is.
func (w *signing) open(v variable, alone bool) bool {
	fresh := alone && len(v.steps) == 0 && (v.name == "header" || v.name == "query" || v.name == "claim")
	return w.free(v, alone) && (fresh || v.name == varID || w.present(v))
}

// free reports whether a variable's value can be chosen at all.
func (w *signing) free(v variable, _ bool) bool {
	banned := func(c condition) bool { return c.absent && c.at.same(v.at) }
	if slices.ContainsFunc(w.s.when, banned) || slices.ContainsFunc(w.s.require, banned) {
		return false
	}
	switch v.name {
	case varID:
		return w.s.id != nil
	case "header", "query":
		return len(v.steps) == 0 || w.present(v)
	case "form":
		return w.r.isPlainForm() && !w.r.compressed() && (len(v.steps) == 0 || w.present(v))
	case "json":
		return w.r.isJSON() && !w.r.compressed() && (len(v.steps) == 0 || w.present(v))
	case "claim":
		return w.r.claims != nil && !w.s.token.fixes(v.at) && len(v.steps) == 0
	}
	return false
}

// fill gives the variables of a template such values that it becomes text. An id
// that is not written like the template goes into the variable that looks most
// like one, if the others have values.
func (w *signing) fill(t template, text string, isID bool, can func(v variable, alone bool) bool) bool {
	var variables []variable
	for _, part := range t {
		if part.literal == "" {
			variables = append(variables, part.variable)
		}
	}
	values, ok := t.split(text)
	ok = ok && !slices.ContainsFunc(variables, func(v variable) bool { return !can(v, len(variables) == 1) })
	if !ok && isID {
		variables = w.idOf(variables, can)
		values = []string{text}
		ok = len(variables) > 0
	}
	if !ok || len(variables) == 0 {
		return false
	}
	before := w.r.clone()
	before.claims = w.r.claims
	for i, v := range variables {
		if !w.assign(v, values[i]) {
			w.r = before
			return false
		}
	}
	return true
}

// idOf is the one variable that looks like an id: the last one that is named so, or else
// the first that can be chosen. It is empty if none can, or if another has no value.
func (w *signing) idOf(variables []variable, can func(v variable, alone bool) bool) []variable {
	chosen := -1
	for i, v := range variables {
		named := strings.HasSuffix(strings.ToLower(v.at.name), "id")
		if can(v, len(variables) == 1) && (chosen < 0 || named) {
			chosen = i
		}
	}
	for i, v := range variables {
		if i != chosen && !w.present(v) {
			return nil
		}
	}
	if chosen < 0 {
		return nil
	}
	return variables[chosen : chosen+1]
}

// takesFrom reports whether a variable of the template is the value of that place.
func (t template) takesFrom(at place) bool {
	return slices.ContainsFunc(t, func(s segment) bool { return s.literal == "" && s.variable.at.name != "" && s.variable.at.same(at) })
}

// split takes text apart as a template of that form would have put it together:
// a value for each variable.
func (t template) split(text string) (values []string, ok bool) {
	for i, part := range t {
		if part.literal != "" {
			if text, ok = strings.CutPrefix(text, part.literal); !ok {
				return nil, false
			}
			continue
		}
		value := text
		if i+1 < len(t) {
			if t[i+1].literal == "" {
				return nil, false
			}
			end := strings.Index(text, t[i+1].literal)
			if end < 0 {
				return nil, false
			}
			value = text[:end]
		}
		if value == "" {
			return nil, false
		}
		values, text = append(values, value), text[len(value):]
	}
	return values, text == ""
}

// assign gives a variable a value. It reports whether that was possible.
func (w *signing) assign(v variable, text string) bool {
	if v.name == varID {
		w.id = text
		return w.r.set(*w.s.id, text, false) == nil
	}
	if len(v.steps) > 0 {
		outer, rejection := w.r.lookup(v.at)
		var ok bool
		if text, ok = putThrough(v.steps, outer, text); !ok || rejection != nil {
			return false
		}
		return w.r.set(v.at, text, false) == nil
	}
	if v.name == "json" {
		text = like(v.at.pointer.Find(w.r.Body), text)
	}
	return w.r.set(v.at, text, false) == nil
}

// like makes a number of text, if a number is there already.
func like(old []byte, text string) string {
	if len(old) == 0 || old[0] != '-' && (old[0] < '0' || old[0] > '9') || document.IsNumber(text) {
		return text
	}
	digest := sha256.Sum256([]byte(text))
	return strconv.FormatUint(uint64(binary.BigEndian.Uint32(digest[:4])), 10)
}

// putThrough writes text into what the steps find in outer, and puts the layers
// around it again.
func putThrough(steps []decoder, outer, text string) (string, bool) {
	if len(steps) == 0 {
		return text, true
	}
	switch step := steps[0].(type) {
	case base64Decoder:
		inner, _ := step.decode(outer, 1)
		if len(inner) == 0 {
			return "", false
		}
		text, ok := putThrough(steps[1:], inner[0], text)
		return base64.StdEncoding.EncodeToString([]byte(text)), ok
	case jsonDecoder:
		if !document.Valid([]byte(outer)) {
			return "", false
		}
		old := step.at.Find([]byte(outer))
		inner := ""
		if old != nil {
			inner, _ = document.Scalar(old)
		}
		text, ok := putThrough(steps[1:], inner, text)
		if len(steps) == 1 {
			text = like(old, text)
		}
		changed, err := step.at.Put([]byte(outer), text, false)
		return string(changed), ok && err == nil
	}
	return "", false
}

// typePlaces names what the type is made of.
func (v *Verifier) typePlaces() string {
	alternatives := make([]string, 0, len(v.types))
	for _, t := range v.types {
		alternatives = append(alternatives, cmp.Or(t.describe(), "a fixed text"))
	}
	return cmp.Or(strings.Join(alternatives, ", or "), "nothing")
}
