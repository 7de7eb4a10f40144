package match

import "net/url"

// parseQuery makes a map of the parameters, with the first value of each. ok is
// false if the query can't be read.
func parseQuery(query string) (parameters map[string]string, ok bool) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, false
	}
	first := make(map[string]string, len(values))
	for name := range values {
		first[name] = values.Get(name)
	}
	return first, true
}
