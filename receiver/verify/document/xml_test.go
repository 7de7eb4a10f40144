package document

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestXMLIsBounded(t *testing.T) {
	path := XMLPath{"a"}
	for name, document := range map[string]string{
		"a document type":    `<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>`,
		"an unknown entity":  `<a>&e;</a>`,
		"deep":               strings.Repeat("<a>", maxOpen+1) + strings.Repeat("</a>", maxOpen+1),
		"another encoding":   `<?xml version="1.0" encoding="UTF-16"?><a>x</a>`,
		"an unclosed child":  `<a>x<b></a>`,
		"cut off":            `<a>x</a><b>`,
		"a closing tag only": `</a>`,
		"control characters": "<a>\x01</a>",
		"nothing":            "",
		"no element":         "x",
		"an empty element":   "<a/>",
		"blank":              "<a> \n</a>",
	} {
		if got, err := path.Text(document); err == nil && got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	deep := strings.Repeat("<a>", maxOpen) + strings.Repeat("</a>", maxOpen)
	if _, err := path.Text(deep); err != nil {
		t.Errorf("%d levels: %v", maxOpen, err)
	}
}

// FuzzXML: a document that is read is one that encoding/xml reads, too, and what
// is found stands in it.
func FuzzXML(f *testing.F) {
	for _, document := range []string{
		`<?xml version="1.0" encoding="UTF-8"?><a><b>1</b></a>`, `<a><b>1</b></a>`, `<a><b/><b>2</b></a>`, `<a xmlns="x"><y:b xmlns:y="z">&lt;</y:b></a>`, `<!DOCTYPE a><a/>`,
		`<a><![CDATA[x]]></a>`, `<a><b>`, `</a>`, `<?xml version="1.1"?><a/>`, "<a>\x00</a>",
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		found, err := XMLPath{"a", "b"}.Text(document)
		if err != nil || found == "" {
			return
		}
		var root struct {
			Inner string `xml:",innerxml"`
		}
		if err := xml.Unmarshal([]byte(document), &root); err != nil {
			t.Fatalf("%q of %q, which is none: %v", found, document, err)
		}
		if !utf8.ValidString(found) || strings.TrimSpace(found) != found {
			t.Fatalf("%q", found)
		}
	})
}
