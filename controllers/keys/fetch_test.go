package keys

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/verify"
)

// serve runs a sender on loopback, and returns it with a cache that trusts it.
func serve(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *Cache) {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(server.Close)
	return server, New(Options{Client: server.Client()})
}

// problemAt fetches a document and returns what is wrong; empty: nothing.
func problemAt(t *testing.T, c *Cache, url string) string {
	t.Helper()
	if _, _, err := c.fetch(t.Context(), verify.FetchSource{URL: url, Algorithm: verify.JSONWebToken}); err != nil {
		return problemOf(err)
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
	for path, want := range map[string]string{
		"/keys":      "",
		"/moved":     "",
		"/elsewhere": string(errRedirect),
		"/plain":     string(errRedirect),
		"/loop":      string(errRedirect),
		"/large":     string(errTooLarge),
		"/endless":   string(errTooLarge),
		"/cut":       "the connection failed",
		"/empty":     "the answer was 204 No Content",
		"/private":   "the answer was 403 Forbidden",
	} {
		if got := problemAt(t, cache, server.URL+path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := problemAt(t, cache, "http://"+server.Listener.Addr().String()+"/keys"); got != string(errScheme) {
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
	if got := problemAt(t, New(Options{}), server.URL+"/keys"); got != string(errForbidden) {
		t.Errorf("loopback: %q", got)
	}
	untrusting := New(Options{Client: &http.Client{Transport: &http.Transport{}}})
	if got := problemAt(t, untrusting, server.URL+"/keys"); got != "the TLS certificate of the host is not trusted" {
		t.Errorf("an unknown certificate: %q", got)
	}
	server.Close()
	if got := problemAt(t, untrusting, server.URL+"/keys"); got != "the connection failed" {
		t.Errorf("nobody there: %q", got)
	}
}
