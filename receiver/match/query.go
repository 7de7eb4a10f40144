package match

import "net/url"

// parseQuery makes a map of the parameters, with the first value of each. What is
// not well-formed is left out.
func parseQuery(query string) map[string]string {
	values, _ := url.ParseQuery(query)
	first := make(map[string]string, len(values))
	for name := range values {
		first[name] = values.Get(name)
	}
	return first
}
