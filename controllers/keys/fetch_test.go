package keys

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/verify"
)

// serve runs a sender on loopback, and returns it with a cache that trusts it.
func serve(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *Cache) {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(server.Close)
	return server, New(Options{Transport: server.Client().Transport})
}

// problemAt fetches a document and returns what is wrong; empty: nothing.
func problemAt(t *testing.T, c *Cache, url string) string {
	t.Helper()
	if _, _, err := c.fetch(t.Context(), verify.FetchSource{URL: url, Algorithm: verify.JSONWebToken}); err != nil {
		return err.Error()
	}
	return ""
}

func TestFetch(t *testing.T) {
	elsewhere, _ := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") })
	server, cache := serve(t, func(answer http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodGet || request.UserAgent() != "sallyport" || request.Header.Get("Authorization") != "" {
			t.Errorf("the request is %s by %q", request.Method, request.UserAgent())
		}
		switch request.URL.Path {
		case "/keys":
			_, _ = answer.Write([]byte(keySet("1")))
		case "/moved":
			http.Redirect(answer, request, "/keys", http.StatusFound)
		case "/elsewhere":
			http.Redirect(answer, request, elsewhere.URL+"/keys", http.StatusFound)
		case "/plain":
			http.Redirect(answer, request, "http://"+request.Host+"/keys", http.StatusFound)
		case "/loop":
			http.Redirect(answer, request, "/loop", http.StatusFound)
		case "/large":
			_, _ = answer.Write([]byte(strings.Repeat("a", verify.MaxFetchBytes+1)))
		case "/endless":
			for {
				if _, err := answer.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/cut":
			answer.Header().Set("Content-Length", "100")
			_, _ = answer.Write([]byte("{"))
		case "/empty":
			answer.WriteHeader(http.StatusNoContent)
		default:
			http.Error(answer, "what is here is nobody's business", http.StatusForbidden)
		}
	})
	_, empty := source.Keys(nil)
	for path, want := range map[string]string{
		"/keys":      "",
		"/moved":     "",
		"/elsewhere": "it redirects to another host, or too often",
		"/plain":     "it redirects to another host, or too often",
		"/loop":      "it redirects to another host, or too often",
		"/large":     "the document is larger than 256 KiB",
		"/endless":   "the document is larger than 256 KiB",
		"/cut":       "the connection failed",
		"/empty":     "what is there can't be used: " + empty.Error(),
		"/private":   "the answer was 403 Forbidden",
	} {
		if got := problemAt(t, cache, server.URL+path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := problemAt(t, cache, "http://"+server.Listener.Addr().String()+"/keys"); got != "it is not an https URL" {
		t.Errorf("over plain HTTP: %q", got)
	}
	if got := testutil.ToFloat64(fetches.WithLabelValues("success")); got < 2 {
		t.Errorf("%v successes are counted", got)
	}
	if got := testutil.ToFloat64(fetches.WithLabelValues("failure")); got < 8 {
		t.Errorf("%v failures are counted", got)
	}
}

// Without a client from outside, neither a certificate that nobody vouches for
// nor loopback is good enough.
func TestFetchGuards(t *testing.T) {
	server, _ := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("loopback was asked") })
	if got := problemAt(t, New(Options{}), server.URL+"/keys"); got != egress.ErrForbidden.Error() {
		t.Errorf("loopback: %q", got)
	}
	untrusting := New(Options{Transport: &http.Transport{}})
	if got := problemAt(t, untrusting, server.URL+"/keys"); got != "the TLS certificate of the host is not trusted" {
		t.Errorf("an unknown certificate: %q", got)
	}
	server.Close()
	if got := problemAt(t, untrusting, server.URL+"/keys"); got != "the connection failed" {
		t.Errorf("nobody there: %q", got)
	}
}
