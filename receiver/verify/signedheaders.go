package verify

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// compiledSignedHeaders is a SignedHeaders, checked.
type compiledSignedHeaders struct {
	from     place
	required []string // in lower case
}

// signedHeaders compiles where a request says which headers it signed.
func (c *compiler) signedHeaders(field string, h *SignedHeaders) *compiledSignedHeaders {
	if h == nil {
		return nil
	}
	k := &compiledSignedHeaders{from: *c.place(field+".from", &h.From)}
	c.check(len(h.Required) <= maxSignedHeaders, field+".required", "there may be at most %d", maxSignedHeaders)
	for i, name := range h.Required {
		_, err := canonicalHeader(name)
		c.fail(fmt.Sprintf("%s.required[%d]", field, i), err)
		k.required = append(k.required, strings.ToLower(name))
	}
	return k
}

// covers reports whether a header is signed whatever the request says.
func (h *compiledSignedHeaders) covers(at place) bool {
	return h != nil && at.kind == inHeader && slices.Contains(h.required, strings.ToLower(at.name))
}

// text writes the headers that the request says are signed: "name:value", names
// in lower case and sorted, with ";" between them, as Contentful does it
// (https://github.com/contentful/node-apps-toolkit).
func (h *compiledSignedHeaders) text(r *Request) (string, *Rejection) {
	list, rejection := r.lookup(h.from)
	if rejection != nil {
		return "", rejection
	}
	names, rejection := h.names(list)
	if rejection != nil {
		return "", rejection
	}
	var text strings.Builder
	for i, name := range names {
		values := r.Header[http.CanonicalHeaderKey(name)]
		if len(values) != 1 {
			return "", reject(PreconditionFailed, "each header that is named in %s must be there once", h.from)
		}
		if i > 0 {
			text.WriteByte(';')
		}
		text.WriteString(name + ":" + values[0])
	}
	return text.String(), nil
}

// names takes the list apart. The messages don't repeat what it says: it is the
// request's.
func (h *compiledSignedHeaders) names(list string) ([]string, *Rejection) {
	if list == "" {
		return nil, reject(PreconditionFailed, "%s is missing: it names the headers that are signed", h.from)
	}
	if strings.Count(list, ",") >= maxSignedHeaders {
		return nil, reject(PreconditionFailed, "%s must name at most %d headers", h.from, maxSignedHeaders)
	}
	names := strings.Split(list, ",")
	for i, name := range names {
		name = strings.Trim(name, " \t")
		if _, err := canonicalHeader(name); err != nil || name == "" {
			return nil, reject(PreconditionFailed, "%s must consist of names of headers, separated by commas", h.from)
		}
		names[i] = strings.ToLower(name)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		return nil, reject(PreconditionFailed, "%s must name each header once", h.from)
	}
	for _, name := range h.required {
		if _, found := slices.BinarySearch(names, name); !found {
			return nil, reject(PreconditionFailed, "%s must name the header %s: it must be signed", h.from, name)
		}
	}
	return names, nil
}
