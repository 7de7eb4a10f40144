package send

import (
	"strings"
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
)

func TestSendFindsTheURL(t *testing.T) {
	for _, test := range []struct{ flag, published, want, fails string }{
		{"", "https://hooks.example.com/a/b", "https://hooks.example.com/a/b", ""},
		{"", "/a/b", "", "was not told its public URL"},
		{"", "", "", "has no URL yet"},
		{"http://localhost:8080", "https://hooks.example.com/a/b", "http://localhost:8080/a/b", ""},
		{"http://localhost:8080/", "/a/b", "http://localhost:8080/a/b", ""},
		{"http://localhost:8080/c", "/a/b", "http://localhost:8080/c", ""},
		{"http://localhost:8080?x=1", "/a/b", "http://localhost:8080?x=1", ""},
		{"localhost:8080", "/a/b", "", "is no URL"},
		{"ftp://localhost", "/a/b", "", "is no URL"},
	} {
		c := Command{url: test.flag, Endpoint: &v1alpha1.WebhookEndpoint{Status: v1alpha1.WebhookEndpointStatus{URL: test.published}}}
		got, err := c.address()
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("with --url %q and %q the error is %v, want one that says %q", test.flag, test.published, err, test.fails)
			}
		} else if err != nil || got != test.want {
			t.Errorf("with --url %q and %q it is %q (%v), want %q", test.flag, test.published, got, err, test.want)
		}
	}
}
