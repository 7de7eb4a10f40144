package document

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of XML, and of a path into it.
const (
	maxOpen = 64  // open elements
	maxPath = 256 // bytes
)

// XMLPath leads to an element of a text that is XML: the first one whose names, from
// the root on and without their namespaces, are these.
type XMLPath []string

// ParseXMLPath reads "/notification/kind".
func ParseXMLPath(text string) (XMLPath, error) {
	names := strings.Split(strings.TrimPrefix(text, "/"), "/")
	if !strings.HasPrefix(text, "/") || len(text) > maxPath || len(names) > maxDepth {
		return nil, fmt.Errorf("xml:%.40s must be a path of at most %d names, for example xml:/notification/kind", text, maxDepth)
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "*@[]:") {
			return nil, fmt.Errorf("xml:%s must consist of the names of elements, without prefixes: there are no wildcards and no attributes", text)
		}
	}
	return names, nil
}

var (
	errXMLText  = errors.New("the document does not begin with an element")
	errXMLType  = errors.New("the document has a document type")
	errXMLDepth = errors.New("the document is nested too deep")
)

// Text returns the text of the element. It reads the document to its end, so that one
// that is cut off holds nothing. It is empty if there is no such element.
//
// It bounds what a document costs: it takes no document type and so no entity but the
// five that XML has, no encoding but UTF-8, and no deep nesting. A text in which
// anything but white space comes before the first element is refused: others must not
// be able to write a document in an alphabet that lacks "<".
func (p XMLPath) Text(text string) (string, error) {
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "<") {
		return "", errXMLText
	}
	var (
		decoder = xml.NewDecoder(strings.NewReader(text))
		w       = xmlWalk{path: p}
	)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return strings.TrimSpace(w.text.String()), nil
		}
		if err == nil {
			err = w.step(token)
		}
		if err != nil {
			return "", err
		}
	}
}

// xmlWalk is where a walk through a document stands.
type xmlWalk struct {
	path    XMLPath
	depth   int // of the open elements
	matched int // how many of them, from the root on, are those of path
	text    strings.Builder
	done    bool // the element is read
}

func (w *xmlWalk) step(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		if w.depth == w.matched && w.matched < len(w.path) && token.Name.Local == w.path[w.matched] {
			w.matched++
		}
		if w.depth++; w.depth > maxOpen {
			return errXMLDepth
		}
	case xml.EndElement:
		if w.matched == w.depth {
			w.done = w.done || w.matched == len(w.path)
			w.matched--
		}
		w.depth--
	case xml.CharData:
		if w.depth == len(w.path) && w.matched == w.depth && !w.done {
			w.text.Write(token)
		}
	case xml.Directive:
		return errXMLType
	}
	return nil
}
