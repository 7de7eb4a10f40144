package document

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// FuzzDecompress: whatever a body is declared as the encoding of, what comes of it is
// bounded, and is what the standard library reads.
func FuzzDecompress(f *testing.F) {
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
		codings := Codings([]string{encoding})
		data, ok := Decompress(body, codings, limit, func(n int64) bool { reserved += n; return true })
		if len(codings) == 0 {
			if !ok || !bytes.Equal(data, body) {
				t.Fatal("without an encoding it is not the body")
			}
			return
		}
		if len(data) > limit || reserved > maxCodings*8*(limit+1) {
			t.Fatalf("%d bytes come of it, and %d were reserved", len(data), reserved)
		}
		if ok && len(codings) == 1 && codings[0] == "gzip" {
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
