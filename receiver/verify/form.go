package verify

import "sallyport.dev/sallyport/receiver/verify/document"

// The media types of form bodies.
const (
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data"
)

// formBody is the body as a form.
type formBody struct {
	values map[string][]string
	ok     bool
}

// Form returns the fields of the body, if it is declared as a form and is one: of
// the type application/x-www-form-urlencoded, or multipart/form-data, whose files
// are left out. A body that is declared as something else is not read as a form:
// what the signature covers must be what the target will read. It is parsed once.
func (r *Request) Form() (fields map[string][]string, ok bool) {
	if r.body.form == nil {
		r.body.form = &formBody{}
		body, readable := r.readable()
		media := r.mediaOf()
		switch {
		case !readable:
		case media.name == formType:
			r.body.form.values, r.body.form.ok = document.Form(body)
		case media.name == multipartType:
			r.body.form.values, r.body.form.ok = document.Multipart(body, media.boundary)
		}
	}
	return r.body.form.values, r.body.form.ok
}

// field is one field of the body as a form. Of one that is not multipart, only the
// fields that the provider reads are decoded.
func (r *Request) field(name string) document.Field {
	body, readable := r.readable()
	switch media := r.mediaOf(); {
	case !readable:
	case media.name == multipartType:
		form, _ := r.Form()
		if values := form[name]; len(values) > 0 {
			return document.Field{Value: values[0], Count: len(values)}
		}
	case media.name == formType:
		i, known := r.trust.places.field(name)
		if !known {
			return document.CompileFields([]string{name}).Find(body)[0]
		}
		if r.body.fields == nil {
			r.body.fields = r.trust.places.fields.Find(body)
		}
		return r.body.fields[i]
	}
	return document.Field{}
}

// isPlainForm reports whether the body is a form, but not a multipart one.
func (r *Request) isPlainForm() bool {
	_, ok := r.Form()
	return ok && r.mediaType() == formType
}

// sortedForm are the fields of the body, sorted. No body is an empty form. It is
// made once.
func (r *Request) sortedForm() ([]byte, *Rejection) {
	body, ok := r.readable()
	switch {
	case ok && len(body) == 0:
		return nil, nil
	case !ok || r.mediaType() != formType:
		return nil, notPlainForm()
	case r.body.sorted == nil:
		sorted, ok := document.AppendSorted([]byte{}, body)
		if !ok {
			return nil, notPlainForm()
		}
		r.body.sorted = sorted
	}
	return r.body.sorted, nil
}

func notPlainForm() *Rejection {
	return reject(MalformedBody, "the body must be a form of type %s", formType)
}

// checkFormat refuses a body that is not what the scheme says it is. It is for
// requests whose signature was found right.
func (r *Request) checkFormat(format BodyFormat) *Rejection {
	var first byte
	if text := r.json(); len(text) > 0 {
		first = text[0]
	}
	switch format {
	case JSONBody:
		if first != '{' && first != '[' || !r.isJSON() {
			return reject(MalformedBody, "the body must be a JSON object or array")
		}
	case JSONObject:
		if first != '{' || !r.isJSON() {
			return reject(MalformedBody, "the body must be a JSON object")
		}
	case JSONArray:
		if first != '[' || !r.isJSON() {
			return reject(MalformedBody, "the body must be a JSON array")
		}
	case FormBody:
		if _, ok := r.Form(); !ok {
			return reject(MalformedBody, "the body must be a form of type %s or %s", formType, multipartType)
		}
	}
	return nil
}
