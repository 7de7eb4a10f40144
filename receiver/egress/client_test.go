package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve starts a TLS server, and a Client that trusts it.
func serve(t *testing.T, handler http.HandlerFunc) (*Client, string) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	return NewWithTransport(ForWebhooks, server.Client().Transport), server.URL
}

func TestGetReadsTheDocument(t *testing.T) {
	client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path)
	})
	got, err := client.Get(t.Context(), address+"/cert.pem")
	if err != nil || string(got) != "GET /cert.pem" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestGetIsBounded(t *testing.T) {
	followed := false
	client, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/followed", http.StatusFound)
		case "/followed":
			followed = true
		case "/large":
			_, _ = w.Write(make([]byte, MaxBody+1))
		case "/largest":
			_, _ = w.Write(make([]byte, MaxBody))
		case "/cut":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "cut")
		default:
			http.NotFound(w, r)
		}
	})
	host := strings.TrimPrefix(address, "https://")
	for url, says := range map[string]string{
		address + "/redirect":           "was 302",
		address + "/missing":            "was 404",
		address + "/large":              "larger than",
		address + "/cut":                "failed",
		"http://" + host + "/":          "https",
		"https://user@" + host + "/":    "https",
		"https:///":                     "https",
		"file:///etc/passwd":            "https",
		"https://%zz/":                  "https",
		"https://nobody.invalid/?token": "name",
	} {
		got, err := client.Get(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %d bytes and %v, want an error with %q", url, len(got), err, says)
		}
		if err != nil && (strings.Contains(err.Error(), host) || strings.Contains(err.Error(), "nobody") || strings.Contains(err.Error(), "token")) {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
	if followed {
		t.Error("the redirect is followed")
	}
	if got, err := client.Get(t.Context(), address+"/largest"); err != nil || len(got) != MaxBody {
		t.Errorf("the largest document: got %d bytes, %v", len(got), err)
	}
}

// What proves itself may come by http, and all other bounds hold.
func TestGetProvenTakesHTTPToo(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, MaxBody+1))
		}
	}
	secure, https := serve(t, answer)
	server := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(server.Close)
	for _, address := range []string{https, server.URL} {
		if _, err := secure.GetProven(t.Context(), address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		for path, says := range map[string]string{"/redirect": "was 302", "/large": "larger than"} {
			if _, err := secure.GetProven(t.Context(), address+path); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want an error with %q", address+path, err, says)
			}
		}
	}
	for _, address := range []string{"ldap://example.com/", "http://user@example.com/", "http:///", "file:///etc/passwd"} {
		if _, err := secure.GetProven(t.Context(), address); err == nil || !strings.Contains(err.Error(), "https") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := New(ForWebhooks).GetProven(t.Context(), server.URL); !errors.Is(err, ErrForbidden) {
		t.Errorf("got %v, want ErrForbidden", err)
	}
}

func TestGetEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	client, address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-1))
	defer cancel()
	if _, err := client.Get(late, address); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("after the deadline: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Get(gone, address); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestRequestsAtATimeAreBounded(t *testing.T) {
	arrived, release := make(chan struct{}, maxConcurrent), make(chan struct{})
	client, address := serve(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	var running sync.WaitGroup
	for range maxConcurrent {
		running.Go(func() {
			if _, err := client.Get(t.Context(), address); err != nil {
				t.Error(err)
			}
		})
	}
	for range maxConcurrent {
		<-arrived
	}
	if _, err := client.Get(t.Context(), address); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v, want ErrBusy", err)
	}
	if _, err := client.GetProven(t.Context(), address); !errors.Is(err, ErrBusy) {
		t.Errorf("one more that proves itself: %v, want ErrBusy", err)
	}
	apart := client.Apart()
	running.Go(func() {
		if _, err := apart.Get(t.Context(), address); err != nil {
			t.Errorf("one apart: %v", err)
		}
	})
	<-arrived
	close(release)
	running.Wait()
	if _, err := client.Get(t.Context(), address); err != nil {
		t.Errorf("one after them: %v", err)
	}
}

// What New makes reaches neither this machine nor a host whose certificate
// nobody vouches for.
func TestNewReachesTheInternetOnly(t *testing.T) {
	asked := false
	_, address := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	if _, err := New(ForWebhooks).Get(t.Context(), address); !errors.Is(err, ErrForbidden) {
		t.Errorf("got %v, want ErrForbidden", err)
	}
	stranger := NewWithTransport(ForWebhooks, &http.Transport{DialContext: new(net.Dialer).DialContext})
	if _, err := stranger.Get(t.Context(), address); err == nil || !strings.Contains(err.Error(), "TLS certificate") {
		t.Errorf("got %v, want an error about the certificate", err)
	}
	if asked {
		t.Error("the host was asked")
	}
}

// Errors get into the status of endpoints, where each attempt must not say something new.
func TestErrorsAreTheSameForEachAttempt(t *testing.T) {
	c := New(ForWebhooks)
	for err, want := range map[error]string{
		errors.New("dial tcp 10.0.0.1:41234->10.0.0.2:443: connection reset"): "the connection failed",
		fmt.Errorf("asking: %w", context.DeadlineExceeded):                    "there was no answer within 5s",
	} {
		if got := c.plain(err); got.Error() != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// Redirects are followed to the same host only, and not too often.
func TestRedirectsAreBounded(t *testing.T) {
	_, elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") })
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		left, _ := strconv.Atoi(r.URL.Query().Get("left"))
		switch {
		case r.URL.Path == "/elsewhere":
			http.Redirect(w, r, elsewhere, http.StatusFound)
		case r.URL.Path == "/plain":
			http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
		case left > 0:
			http.Redirect(w, r, fmt.Sprint("/?left=", left-1), http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	policy := ForWebhooks
	policy.MaxRedirects = 2
	client := NewWithTransport(policy, server.Client().Transport)
	for path, want := range map[string]error{"/?left=2": nil, "/?left=3": errRedirect, "/elsewhere": errRedirect, "/plain": errRedirect} {
		if _, header, err := client.GetWithHeader(t.Context(), server.URL+path); !errors.Is(err, want) || (err == nil && header == nil) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}
