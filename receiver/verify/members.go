package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// parseMembers reads the argument of {members:A,B}: names of members of the
// body's top level.
func parseMembers(argument string) ([]string, error) {
	names := strings.Split(argument, ",")
	if len(names) > maxMembers {
		return nil, fmt.Errorf("{members:…} may name at most %d members", maxMembers)
	}
	for i, name := range names {
		if name == "" {
			return nil, errors.New("{members:…} needs names, for example {members:Message,MessageId}")
		}
		for _, other := range names[:i] {
			if strings.EqualFold(name, other) {
				return nil, fmt.Errorf("{members:…} names %s twice", name)
			}
		}
	}
	return names, nil
}

// appendMembers appends each of the named members that is there, as its name and
// its value on lines of their own, in the order of names: as Amazon SNS signs
// (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
//
// What is signed is not the text of the body, so others could add to it. A second
// member of a signed name is refused, and one whose name differs in case only:
// readers differ in which of them they take. Only the first of names may have
// several lines, or a line could pass for the name of another member.
func appendMembers(text []byte, names []string, r *Request) ([]byte, *Rejection) {
	malformed := reject(MalformedBody, "the body must be a JSON object with texts or numbers as %s, each at most once and, but for the first, of one line",
		strings.Join(names, ", "))
	if !r.trust.unverified && !r.isJSON() {
		return nil, malformed
	}
	r.trust.relied = true
	found, numbers := r.uniqueMembers(names)
	if !found.Object() {
		return nil, malformed
	}
	before := len(text)
	for i, name := range names {
		value, again := found.Unique(numbers[i])
		scalar, ok := document.Text(value)
		if again || !ok || i > 0 && strings.Contains(scalar, "\n") {
			return nil, malformed
		}
		if len(value) == 0 || value[0] == 'n' {
			continue
		}
		text = append(append(append(append(text, name...), '\n'), scalar...), '\n')
	}
	if len(text) == before {
		return nil, malformed
	}
	return text, nil
}

// uniqueMembers looks members of the top level up, and says which number each of
// names has in what was found.
func (r *Request) uniqueMembers(names []string) (found *document.Found, numbers []int) {
	numbers = make([]int, len(names))
	if r.trust.places == nil {
		for i := range names {
			numbers[i] = i
		}
		alone := document.Compile(nil, names).Find(r.json())
		return &alone, numbers
	}
	for i, name := range names {
		numbers[i] = slices.Index(r.trust.places.unique, name)
	}
	return r.find(), numbers
}
