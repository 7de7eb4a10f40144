package verify

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// FuzzDocument: whatever a body is declared as the encoding of, what comes of it is
// bounded, the same each time, and is what the standard library reads.
func FuzzDocument(f *testing.F) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(`{"a":1}`))
	_ = w.Close()
	for _, encoding := range []string{"", "gzip", "deflate", "gzip, deflate", "identity", "br", " GZIP ", "x-gzip,,"} {
		f.Add(encoding, zipped.Bytes())
		f.Add(encoding, []byte(`{"a":1}`))
	}
	const limit = 1 << 10
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		reserved := int64(0)
		r := post(string(body), "Content-Encoding", encoding)
		r.DecodeLimit, r.Reserve = limit, func(n int64) bool { reserved += n; return true }
		data, ok := r.Document()
		again, okAgain := r.Document()
		if ok != okAgain || !bytes.Equal(data, again) {
			t.Fatal("it is another the second time")
		}
		if !r.compressed() {
			if !ok || !bytes.Equal(data, body) {
				t.Fatal("without an encoding it is not the body")
			}
			return
		}
		if len(data) > limit || reserved > maxCodings*8*(limit+1) {
			t.Fatalf("%d bytes come of it, and %d were reserved", len(data), reserved)
		}
		if codings := r.codings(); ok && len(codings) == 1 && codings[0] == "gzip" {
			reader, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal("it is no gzip")
			}
			if want, err := io.ReadAll(reader); err != nil || !bytes.Equal(want, data) {
				t.Fatalf("gzip reads something else: %v", err)
			}
		}
	})
}

// FuzzMultipart: whatever a body is, its fields are bounded in number and are parts of it.
func FuzzMultipart(f *testing.F) {
	f.Add("b", []byte("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"))
	f.Add("b", []byte("--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x\"\r\n\r\n1\r\n--b--\r\n"))
	f.Add("", []byte("--\r\n"))
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		fields, ok := multipartFields(body, boundary)
		if !ok && fields != nil {
			t.Fatal("there are fields of what is no form")
		}
		parts, size := 0, 0
		for _, values := range fields {
			for _, value := range values {
				parts, size = parts+1, size+len(value)
			}
		}
		if parts > maxParts || size > len(body) {
			t.Fatalf("%d parts of %d bytes in a body of %d", parts, size, len(body))
		}
	})
}
