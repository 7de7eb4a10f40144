package intake

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const exampleParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

var version00 = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

func TestTraceParent(t *testing.T) {
	for name, test := range map[string]struct {
		values []string
		kept   bool
	}{
		"valid":                {[]string{exampleParent}, true},
		"a later version":      {[]string{"cc" + exampleParent[2:] + "-more"}, true},
		"a later one, as 00":   {[]string{"cc" + exampleParent[2:]}, true},
		"none":                 {nil, false},
		"two":                  {[]string{exampleParent, exampleParent}, false},
		"version ff":           {[]string{"ff" + exampleParent[2:]}, false},
		"version 00 and more":  {[]string{exampleParent + "-more"}, false},
		"a later one, glued":   {[]string{"cc" + exampleParent[2:] + "x"}, false},
		"a later one, endless": {[]string{"cc" + exampleParent[2:] + "-" + strings.Repeat("x", 1000)}, false},
		"upper case":           {[]string{strings.ToUpper(exampleParent)}, false},
		"no trace":             {[]string{"00-00000000000000000000000000000000-b7ad6b7169203331-01"}, false},
		"no parent":            {[]string{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}, false},
		"too short":            {[]string{exampleParent[:54]}, false},
		"other separators":     {[]string{strings.ReplaceAll(exampleParent, "-", "_")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := traceParent(http.Header{"Traceparent": test.values})
			if kept := len(test.values) == 1 && got == test.values[0]; kept != test.kept {
				t.Errorf("%q becomes %q", test.values, got)
			}
			if !validTraceParent(got) {
				t.Errorf("%q is not valid itself", got)
			}
		})
	}
	if a, b := traceParent(nil), traceParent(nil); a == b || !version00.MatchString(a) {
		t.Errorf("new ones are %q and %q", a, b)
	}
}

func FuzzTraceParent(f *testing.F) {
	f.Add(exampleParent)
	f.Add("cc" + exampleParent[2:] + "-more")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "00") && validTraceParent(text) != (version00.MatchString(text) &&
			!strings.Contains(text, strings.Repeat("0", 32)) && text[36:52] != strings.Repeat("0", 16)) {
			t.Errorf("%q is judged wrongly", text)
		}
	})
}

func TestRequestID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "A-z_0.9": true, strings.Repeat("x", maxRequestID): true,
		"": false, strings.Repeat("x", maxRequestID+1): false, "a b": false, "a\n": false, "<script>": false, "\u00e9": false,
	} {
		got := requestID(http.Header{"X-Request-Id": {id}})
		if (got == id) != want || !wellFormedID(got) {
			t.Errorf("%q becomes %q", id, got)
		}
	}
	if one, other := requestID(nil), requestID(nil); one == other {
		t.Error("two requests have one id")
	}
}

func TestStoredHeader(t *testing.T) {
	got := storedHeader(http.Header{
		"Content-Type": {"application/json"}, "X-Multi": {"a", "b"}, "Authorization": {"Bearer x"}, "X-Token": {"x"},
		"Sallyport-Event-Id": {"forged"}, "Sallyport_event_id": {"forged"}, "SALLYPORT-Provider": {"forged"}, "Sallyport": {"fine"},
	}, []string{"authorization", "X-Token"})
	if len(got) != 3 || got.Get("Content-Type") == "" || len(got["X-Multi"]) != 2 || got.Get("Sallyport") != "fine" {
		t.Errorf("what is stored is %v", got)
	}
}
