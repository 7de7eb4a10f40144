package send_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport.dev/sallyport/cmd/kubectl-hooks/send"
)

func TestDo(t *testing.T) {
	r, err := send.Build(options(t, "stripe", "whsec_test", `{"id":"evt_1"}`))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		if err != nil || string(body) != string(r.Body) || in.Header.Get("Stripe-Signature") != r.Header.Get("Stripe-Signature") || in.URL.RawQuery != "a=1" {
			t.Errorf("what came is %v %s, %v", in.Header, body, err)
		}
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, strings.Repeat("x", send.MaxAnswerBytes+1))
	}))
	defer server.Close()
	r.URL = server.URL + "/?a=1"
	answer, err := send.Do(t.Context(), server.Client(), r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusAccepted || answer.Header.Get("X-Answer") != "yes" || len(answer.Body) != send.MaxAnswerBytes || answer.Took <= 0 {
		t.Errorf("the answer is %d, %d bytes, after %s", answer.Status, len(answer.Body), answer.Took)
	}
}

func TestDoWithoutAnAnswer(t *testing.T) {
	r, err := send.Build(options(t, "azure-event-grid", "a-secret-token", `[{"id":"1"}]`))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	r.URL = server.URL + "/?token=a-secret-token"
	_, err = send.Do(t.Context(), http.DefaultClient, r)
	if err == nil || !strings.Contains(err.Error(), "is the URL right") || strings.Contains(err.Error(), "a-secret-token") {
		t.Errorf("the error is %v", err)
	}
}

func TestDoStopsWithItsContext(t *testing.T) {
	arrived := make(chan struct{})
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	defer server.Close()
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := send.Do(ctx, server.Client(), send.Request{Method: http.MethodPost, URL: server.URL})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestDoFollowsNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	defer server.Close()
	answer, err := send.Do(t.Context(), server.Client(), send.Request{Method: http.MethodPost, URL: server.URL})
	if err != nil || answer.Status != http.StatusTemporaryRedirect || answer.Header.Get("Location") != "/elsewhere" {
		t.Errorf("the answer is %v, %v", answer, err)
	}
}
