package verify

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// formSorted writes a form as Twilio and Mandrill sign it: for each name in
// byte order, for each distinct value in byte order, name and value with
// nothing between.
func formSorted(form url.Values) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			text.WriteString(name)
			text.WriteString(value)
		}
	}
	return text.String()
}
