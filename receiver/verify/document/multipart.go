package document

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"slices"
)

// maxParts bounds the parts of a form of the type multipart/form-data.
const maxParts = 1000

// Multipart returns the fields of a form of the type multipart/form-data (RFC 7578).
// Files are left out. ok is false if it is none, or has too many parts.
func Multipart(body []byte, boundary string) (fields map[string][]string, ok bool) {
	if boundary == "" {
		return nil, false
	}
	fields = map[string][]string{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts + 1 {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return fields, true
		}
		if err != nil {
			return nil, false
		}
		name := part.FormName()
		if name == "" || part.FileName() != "" {
			continue
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, false
		}
		fields[name] = append(fields[name], string(text))
	}
	return nil, false
}

// SetPart returns a form of the type multipart/form-data in which a field that is
// there has another text. All else stays as it is written. ok is false if there is
// no such field, or the form is not as its readers expect it.
func SetPart(body []byte, boundary, name, text string) (changed []byte, ok bool) {
	if boundary == "" {
		return nil, false
	}
	delimiter := []byte("--" + boundary)
	for at := 0; ; {
		next := bytes.Index(body[at:], delimiter)
		if next < 0 {
			return nil, false
		}
		at += next + len(delimiter)
		head, start, ok := partHead(body, at)
		if !ok || fieldOf(head, delimiter) != name {
			continue
		}
		length := bytes.Index(body[start:], append([]byte("\n"), delimiter...))
		if length < 0 {
			return nil, false
		}
		end := start + len(bytes.TrimSuffix(body[start:start+length], []byte("\r")))
		changed = slices.Concat(body[:start], []byte(text), body[end:])
		fields, ok := Multipart(changed, boundary)
		return changed, ok && slices.Equal(fields[name], []string{text})
	}
}

// partHead is the head of the part whose delimiter ends at at, and where what
// follows the head begins.
func partHead(body []byte, at int) (head []byte, start int, ok bool) {
	blank := bytes.Index(body[at:], []byte("\n\r\n"))
	width := len("\n\r\n")
	if short := bytes.Index(body[at:], []byte("\n\n")); blank < 0 || short >= 0 && short < blank {
		blank, width = short, len("\n\n")
	}
	if blank < 0 {
		return nil, 0, false
	}
	start = at + blank + width
	return body[at:start], start, true
}

// fieldOf reads the name in the head of a part; empty if it is that of a file, or
// there is none.
func fieldOf(head, delimiter []byte) string {
	alone := slices.Concat(delimiter, head, []byte("\r\n"), delimiter, []byte("--\r\n"))
	part, err := multipart.NewReader(bytes.NewReader(alone), string(delimiter[2:])).NextPart()
	if err != nil || part.FileName() != "" {
		return ""
	}
	return part.FormName()
}
