package document

import (
	"bytes"
	"slices"
)

// maxFields bounds the fields of a form, as net/url does it. A form with more is
// none.
const maxFields = 10_000

// maxSorted bounds the fields of a form that are sorted. Senders that sign so send
// less than a hundred.
const maxSorted = 1000

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
	buffer := make([]byte, escapedByte*f.names.longest) // for names that are not written as they are meant
	for at := 0; at < len(form); {
		end, escaped := nameEnd(form, at)
		last := pairEnd(form, end)
		if name, ok := f.admit(buffer, form[at:end], escaped); ok {
			for i := range f.list {
				if string(name) == f.list[i] {
					found[i].take(form[at:last], form[min(end+1, last):last])
				}
			}
		}
		at = last + 1
	}
	return found
}

// admit is the name that is written so, if it may be one of those wanted.
func (f *Fields) admit(buffer, written []byte, escaped bool) (name []byte, ok bool) {
	if !escaped {
		return written, f.names.plain.has(len(written))
	}
	if !f.names.escaped.has(len(written)) {
		return nil, false
	}
	n, ok := unescapeQuery(buffer, written)
	return buffer[:n], ok
}

// take counts a pair of that name.
func (f *Field) take(pair, value []byte) {
	if bytes.IndexByte(pair, ';') >= 0 || len(pair) == 0 {
		return
	}
	var d decoder
	text := d.decode(value, len(value))
	switch {
	case d.broken:
		return
	case f.Count == 0:
		f.Value = string(text)
	}
	f.Count++
}

// tooMany reports whether a form has more fields than are read.
func tooMany(form []byte) bool { return bytes.Count(form, []byte("&")) >= maxFields }

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

// asMeant reports whether a name or a value is written as it is meant.
func asMeant(written []byte) bool {
	return bytes.IndexByte(written, '%') < 0 && bytes.IndexByte(written, '+') < 0
}

// unescapeQuery decodes what is written as a name or a value of a form into text,
// which has room for it, and returns how many bytes that are. ok is false if an
// escape is broken.
func unescapeQuery(text, written []byte) (n int, ok bool) {
	for i := 0; i < len(written); i++ {
		c := written[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(written) || hexDigits[written[i+1]]|hexDigits[written[i+2]] >= noDigit {
				return n, false
			}
			c = hexDigits[written[i+1]]<<4 | hexDigits[written[i+2]]
			i += 2
		}
		text[n] = c
		n++
	}
	return n, true
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
	var d decoder
	for at := 0; at < len(form); {
		last := pairEnd(form, at)
		if last == at {
			at++
			continue
		}
		name, value, _ := bytes.Cut(form[at:last], []byte("="))
		p := pair{d.decode(name, len(form)-at), d.decode(value, len(form)-at)}
		list, at = append(list, p), last+1
	}
	return list, !d.broken
}

// decoder decodes names and values.
type decoder struct {
	room   []byte // for those that are not written as they are meant
	broken bool
}

// decode is what is meant by a name or a value. rest is how much there is to decode
// at most, from it on.
func (d *decoder) decode(written []byte, rest int) []byte {
	if asMeant(written) {
		return written
	}
	if d.room == nil {
		d.room = make([]byte, rest)
	}
	n, ok := unescapeQuery(d.room, written)
	d.broken = d.broken || !ok
	decoded := d.room[:n:n]
	d.room = d.room[n:]
	return decoded
}

// compare is the order in which fields are signed.
func (p pair) compare(q pair) int {
	if order := bytes.Compare(p.name, q.name); order != 0 {
		return order
	}
	return bytes.Compare(p.value, q.value)
}

// AppendSorted appends what Twilio and Mandrill sign of a form: for each name in
// byte order, for each distinct value in byte order, name and value with nothing
// between. ok is false if it is no form, or has too many fields.
func AppendSorted(text, form []byte) (_ []byte, ok bool) {
	if bytes.Count(form, []byte("&")) >= maxSorted {
		return text, false
	}
	list, ok := pairs(form)
	if !ok {
		return text, false
	}
	slices.SortFunc(list, pair.compare)
	text = slices.Grow(text, len(form))
	for i, p := range list {
		if i == 0 || list[i-1].compare(p) != 0 {
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
