package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
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
	values, ok := topLevel(r.document(inJSON), names)
	if !ok {
		return nil, malformed
	}
	before := len(text)
	for i, value := range values {
		if len(value) == 0 || value[0] == 'n' {
			continue
		}
		scalar, ok := scalar(value)
		if !ok || i > 0 && strings.Contains(scalar, "\n") {
			return nil, malformed
		}
		text = append(append(append(append(text, names[i]...), '\n'), scalar...), '\n')
	}
	if len(text) == before {
		return nil, malformed
	}
	return text, nil
}

// topLevel returns the documents from the value of each named member on; nil
// where there is none. ok is false if document is not an object, or a name is
// there twice.
func topLevel(document []byte, names []string) (values [][]byte, ok bool) {
	document = bytes.TrimLeft(document, jsonSpace)
	if len(document) == 0 || document[0] != '{' {
		return nil, false
	}
	values = make([][]byte, len(names))
	for rest := skipSpace(document[1:]); rest[0] != '}'; rest = nextItem(rest) {
		end := valueEnd(rest)
		key := rest[:end]
		rest = skipSpace(skipSpace(rest[end:])[1:]) // the colon
		for i, name := range names {
			if !foldedName(key, name) {
				continue
			}
			if values[i] != nil || !named(key, name) {
				return nil, false
			}
			values[i] = rest
		}
	}
	return values, true
}

// foldedName reports whether a key is name, in any case.
func foldedName(quoted []byte, name string) bool {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return strings.EqualFold(unquote(quoted), name)
	}
	return bytes.EqualFold(quoted[1:len(quoted)-1], []byte(name))
}
