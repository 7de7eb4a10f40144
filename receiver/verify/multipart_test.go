package verify

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
		got, ok := setPart([]byte(body), "b", "time", "18")
		if !ok || string(got) != want {
			t.Errorf("got %q, %t\nwant %q", got, ok, want)
		}
	}
	for name, body := range map[string]string{
		"no such field": strings.ReplaceAll(form, "\"time\"", "\"other\""), "twice": strings.Replace(form, "\"after\"", "\"time\"", 1),
		"cut off": form[:strings.Index(form, "17")+2], "nothing": "",
	} {
		if got, ok := setPart([]byte(body), "b", "time", "18"); ok {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, ok := setPart([]byte(form), "", "time", "18"); ok {
		t.Error("there is no boundary")
	}
}
