package document

import (
	"strings"
	"testing"
)

func TestSetPart(t *testing.T) {
	const form = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"time\"\r\n\r\nname=\"time\"\r\n\r\n--bx\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"time\"\r\nContent-Type: text/plain\r\n\r\n17\r\n\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"after\"\r\n\r\n17\r\n--b--\r\nepilogue"
	for _, end := range []string{"\r\n", "\n"} {
		body := strings.ReplaceAll(form, "\r\n", end)
		want := strings.Replace(body, "17"+end+end, "18", 1)
		want = strings.Replace(want, "18--b", "18"+end+"--b", 1)
		got, ok := SetPart([]byte(body), "b", "time", "18")
		if !ok || string(got) != want {
			t.Errorf("got %q, %t\nwant %q", got, ok, want)
		}
	}
	for name, body := range map[string]string{
		"no such field": strings.ReplaceAll(form, "\"time\"", "\"other\""), "twice": strings.Replace(form, "\"after\"", "\"time\"", 1),
		"cut off": form[:strings.Index(form, "17")+2], "nothing": "",
	} {
		if got, ok := SetPart([]byte(body), "b", "time", "18"); ok {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, ok := SetPart([]byte(form), "", "time", "18"); ok {
		t.Error("there is no boundary")
	}
}

// FuzzMultipart: whatever a body is, its fields are bounded in number and are parts of it.
func FuzzMultipart(f *testing.F) {
	f.Add("b", []byte("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"))
	f.Add("b", []byte("--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x\"\r\n\r\n1\r\n--b--\r\n"))
	f.Add("", []byte("--\r\n"))
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		fields, ok := Multipart(body, boundary)
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
