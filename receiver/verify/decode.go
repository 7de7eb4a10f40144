package verify

import (
	"encoding/base64"
	"fmt"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// decoder is one step from what stands in a request to what is meant: the form
// field of some senders is JSON, that of others base64 of XML.
type decoder interface {
	// decode returns what it finds in text, at most limit texts. whole is false if
	// that is not all, see document.Pointer.Texts. What can't be decoded holds nothing.
	decode(text string, limit int) (found []string, whole bool)
	// wild reports whether it may find more than one text.
	wild() bool
}

// parseDecoders reads the steps behind a variable's place: "base64",
// "json:/pointer", "xml:/path".
func parseDecoders(texts []string) ([]decoder, error) {
	if len(texts) > maxDecoders {
		return nil, fmt.Errorf("there may be at most %d steps", maxDecoders)
	}
	var steps []decoder
	for _, text := range texts {
		step, err := parseDecoder(text)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func parseDecoder(text string) (decoder, error) {
	name, argument, _ := strings.Cut(text, ":")
	switch {
	case text == "base64":
		return base64Decoder{}, nil
	case name == "json":
		at, err := compilePlace(inJSON, argument)
		return jsonDecoder{at.pointer}, err
	case name == "xml":
		path, err := document.ParseXMLPath(argument)
		return xmlDecoder{path}, err
	}
	return nil, fmt.Errorf("%q is not a step: there are base64, json:/pointer and xml:/path", text)
}

// base64Decoder takes either alphabet. Padding and line breaks don't matter:
// nothing is compared with what comes out.
type base64Decoder struct{}

var toStandardAlphabet = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", "=", "")

func (base64Decoder) decode(text string, _ int) ([]string, bool) {
	decoded, err := base64.RawStdEncoding.DecodeString(toStandardAlphabet.Replace(text))
	if err != nil || len(decoded) == 0 {
		return nil, false
	}
	return []string{string(decoded)}, true
}

func (base64Decoder) wild() bool { return false }

// jsonDecoder reads a member of a text that is JSON.
type jsonDecoder struct{ at document.Pointer }

func (d jsonDecoder) decode(text string, limit int) ([]string, bool) {
	if !document.Valid([]byte(text)) {
		return nil, false
	}
	return d.at.Texts([]byte(text), limit)
}

func (d jsonDecoder) wild() bool { return d.at.Wild() }

// xmlDecoder reads an element of a text that is XML.
type xmlDecoder struct{ path document.XMLPath }

func (d xmlDecoder) decode(text string, _ int) ([]string, bool) {
	found, err := d.path.Text(text)
	if err != nil || found == "" {
		return nil, false
	}
	return []string{found}, true
}

func (xmlDecoder) wild() bool { return false }

// decodeAll applies the steps to all texts.
func decodeAll(texts []string, whole bool, steps []decoder) ([]string, bool) {
	for _, step := range steps {
		var next []string
		for _, text := range texts {
			found, all := step.decode(text, maxValues-len(next))
			next, whole = append(next, found...), whole && all
		}
		texts = next
	}
	return texts, whole
}

// all returns the texts at a place; more than one only where its pointer is wild.
func (r *Request) all(at place) (texts []string, whole bool, rejection *Rejection) {
	if !at.pointer.Wild() {
		text, rejection := r.lookup(at)
		if rejection != nil || text == "" {
			return nil, false, rejection
		}
		return []string{text}, true, nil
	}
	text := r.document(at.kind)
	if text == nil {
		return nil, false, nil
	}
	texts, whole = at.pointer.Texts(text, maxValues)
	return texts, whole, nil
}
