package document

import (
	"bytes"
	"cmp"
	"slices"
)

// MaxFields bounds the fields of a form, as net/url does it. A form with more is
// none.
const MaxFields = 10_000

// escapedByte is how many bytes a percent-escape has.
const escapedByte = 3

// Fields is a set of names of form fields, made ready for looking up all of them
// in one pass over a body of the type application/x-www-form-urlencoded. It is
// immutable and safe for concurrent use.
type Fields struct {
	list  []string
	names names
}

// Field is what a pass found of one field.
type Field struct {
	// Value is that of the first field of that name.
	Value string
	// Count is how many fields have that name. Those with broken escapes don't count.
	Count int
}

// CompileFields makes a set of names.
func CompileFields(list []string) *Fields {
	f := &Fields{list: list}
	for _, name := range list {
		f.names.plain.add(len(name), len(name))
		f.names.escaped.add(len(name), escapedByte*len(name))
		f.names.longest = max(f.names.longest, len(name))
	}
	return f
}

// Find looks all names up.
func (f *Fields) Find(form []byte) []Field {
	found := make([]Field, len(f.list))
	if tooMany(form) {
		return found
	}
	var buffer []byte // of names with escapes
	for at := 0; at < len(form); {
		end, escaped := nameEnd(form, at)
		name := form[at:end]
		admitted := f.names.plain.has(len(name))
		if escaped {
			admitted = f.names.escaped.has(len(name))
		}
		if !admitted {
			at = pairEnd(form, end) + 1
			continue
		}
		if escaped {
			var ok bool
			if buffer, ok = appendUnescapedQuery(buffer[:0], name); !ok {
				at = pairEnd(form, end) + 1
				continue
			}
			name = buffer
		}
		last := pairEnd(form, end)
		for i := range f.list {
			if string(name) == f.list[i] {
				found[i].take(form[at:last], form[min(end+1, last):last])
			}
		}
		at = last + 1
	}
	return found
}

// take counts a pair of that name.
func (f *Field) take(pair, value []byte) {
	if bytes.IndexByte(pair, ';') >= 0 || len(pair) == 0 {
		return
	}
	text, ok := appendUnescapedQuery(nil, value)
	if !ok {
		return
	}
	if f.Count == 0 {
		f.Value = string(text)
	}
	f.Count++
}

// tooMany reports whether a form has more fields than are read.
func tooMany(form []byte) bool { return bytes.Count(form, []byte("&")) >= MaxFields }

// nameEnd is where the name ends that begins at form[from]. escaped: it is not
// written as it is meant.
func nameEnd(form []byte, from int) (end int, escaped bool) {
	for end = from; end < len(form); end++ {
		switch form[end] {
		case '=', '&':
			return end, escaped
		case '%', '+':
			escaped = true
		}
	}
	return end, escaped
}

// pairEnd is where the pair ends that form[from] is in.
func pairEnd(form []byte, from int) int {
	const near = 16 // bytes that are faster looked at one by one
	for end := from; end < min(len(form), from+near); end++ {
		if form[end] == '&' {
			return end
		}
	}
	if from+near >= len(form) {
		return len(form)
	}
	if end := bytes.IndexByte(form[from+near:], '&'); end >= 0 {
		return from + near + end
	}
	return len(form)
}

// appendUnescapedQuery decodes what is written as a name or a value of a form. ok
// is false if an escape is broken.
func appendUnescapedQuery(text, written []byte) (_ []byte, ok bool) {
	for i := 0; i < len(written); i++ {
		c := written[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(written) || hexDigits[written[i+1]] == 0 || hexDigits[written[i+2]] == 0 {
				return text, false
			}
			c = (hexDigits[written[i+1]]-1)<<4 | (hexDigits[written[i+2]] - 1)
			i += 2
		}
		text = append(text, c)
	}
	return text, true
}

// pair is a field of a form, decoded.
type pair struct{ name, value []byte }

// pairs decodes all fields of a form, in their order. ok is false if it is none:
// an escape is broken, there is a semicolon, or there are too many.
func pairs(form []byte) (list []pair, ok bool) {
	if tooMany(form) || bytes.IndexByte(form, ';') >= 0 {
		return nil, false
	}
	list = make([]pair, 0, bytes.Count(form, []byte("&"))+1)
	decoded := make([]byte, 0, len(form)) // never grows: escapes are longer than what they stand for
	for at := 0; at < len(form); {
		last := pairEnd(form, at)
		if last == at {
			at++
			continue
		}
		name, value, _ := bytes.Cut(form[at:last], []byte("="))
		var p pair
		start := len(decoded)
		if decoded, ok = appendUnescapedQuery(decoded, name); !ok {
			return nil, false
		}
		p.name, start = decoded[start:], len(decoded)
		if decoded, ok = appendUnescapedQuery(decoded, value); !ok {
			return nil, false
		}
		p.value = decoded[start:]
		list, at = append(list, p), last+1
	}
	return list, true
}

// AppendSorted appends what Twilio and Mandrill sign of a form: for each name in
// byte order, for each distinct value in byte order, name and value with nothing
// between. ok is false if it is no form.
func AppendSorted(text, form []byte) (_ []byte, ok bool) {
	list, ok := pairs(form)
	if !ok {
		return text, false
	}
	order := func(a, b pair) int { return cmp.Or(bytes.Compare(a.name, b.name), bytes.Compare(a.value, b.value)) }
	slices.SortFunc(list, order)
	text = slices.Grow(text, len(form))
	for i, p := range list {
		if i == 0 || order(list[i-1], p) != 0 {
			text = append(append(text, p.name...), p.value...)
		}
	}
	return text, true
}

// Form returns the fields of a form. ok is false if it is none.
func Form(form []byte) (fields map[string][]string, ok bool) {
	list, ok := pairs(form)
	if !ok {
		return nil, false
	}
	fields = make(map[string][]string, len(list))
	for _, p := range list {
		fields[string(p.name)] = append(fields[string(p.name)], string(p.value))
	}
	return fields, true
}
