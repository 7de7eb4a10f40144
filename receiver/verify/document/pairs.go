package document

import (
	"net/url"
	"slices"
	"strings"
)

// Queries and forms are written in one way: "a=1&b=2". These change one and leave all
// else as it is written, in its order.

// SetPair gives a name a value.
func SetPair(text, name, value string) string {
	pair := url.QueryEscape(name) + "=" + url.QueryEscape(value)
	kept := split(text)
	if i := slices.IndexFunc(kept, func(p string) bool { return nameOf(p) == name }); i >= 0 {
		kept[i] = pair
		rest := slices.DeleteFunc(kept[i+1:], func(p string) bool { return nameOf(p) == name })
		return strings.Join(kept[:i+1+len(rest)], "&")
	}
	return strings.Join(append(kept, pair), "&")
}

// DropPairs takes names out.
func DropPairs(text string, names ...string) string {
	return strings.Join(slices.DeleteFunc(split(text), func(p string) bool { return slices.Contains(names, nameOf(p)) }), "&")
}

// PairsOf are the pairs of these names that have a value, as they are written:
// "token=abc".
func PairsOf(text string, names ...string) []string {
	return slices.DeleteFunc(split(text), func(p string) bool {
		_, value, _ := strings.Cut(p, "=")
		return value == "" || !slices.Contains(names, nameOf(p))
	})
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "&")
}

func nameOf(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	plain, err := url.QueryUnescape(name)
	if err != nil {
		return name
	}
	return plain
}
