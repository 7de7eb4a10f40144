package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRequestIsAWebhookWithANumber(t *testing.T) {
	r := newRequest(0xabc, 2048)
	for n, want := range map[uint32]string{0: "00000abc-00000000", 0x12f: "00000abc-0000012f", 1<<32 - 1: "00000abc-ffffffff"} {
		parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.numbered(n))))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(parsed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.Header.Get("X-GitHub-Delivery"); got != want {
			t.Errorf("request %d has the id %q, want %q", n, got, want)
		}
		if len(body) != 2048 || parsed.URL.Path != loadPath || !strings.HasPrefix(parsed.Header.Get("X-Hub-Signature-256"), "sha256=") {
			t.Errorf("request %d is %d bytes to %s with the headers %v", n, len(body), parsed.URL.Path, parsed.Header)
		}
	}
}

func TestLoadCountsEveryRequestOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("X-GitHub-Delivery")]++
	}))
	defer server.Close()
	got, err := load{address: server.Listener.Addr().String(), connections: 3, bodyBytes: 100, duration: 50 * time.Millisecond}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.requests == 0 || got.requests != len(seen) || len(got.latencies) != got.requests {
		t.Errorf("%d requests and %d latencies, and the server saw %d ids", got.requests, len(got.latencies), len(seen))
	}
}

func TestLoadReportsARefusal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer server.Close()
	_, err := load{address: server.Listener.Addr().String(), connections: 2, bodyBytes: 100, duration: time.Minute}.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("the error is %v, want one that says 503", err)
	}
}
