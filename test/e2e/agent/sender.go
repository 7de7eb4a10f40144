package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"sallyport.dev/sallyport/test/e2e/agent/protocol"
)

// answerTimeout is what GitHub grants a receiver.
const answerTimeout = 10 * time.Second

// maxErrors is how many errors a Report quotes.
const maxErrors = 10

// sender runs loads, each under a name.
type sender struct {
	mu    sync.Mutex
	loads map[string]*running
}

// running is a load that goes on.
type running struct {
	stop context.CancelFunc
	done chan struct{}
	load protocol.Load

	mu     sync.Mutex
	report protocol.Report
}

func newSender() *sender { return &sender{loads: map[string]*running{}} }

func (s *sender) register(mux *http.ServeMux) {
	mux.HandleFunc("POST /sender/{name}/start", s.serveStart)
	mux.HandleFunc("POST /sender/{name}/stop", s.serveStop)
	mux.HandleFunc("POST /sender/{name}/wait", s.serveWait)
}

func (s *sender) serveStart(w http.ResponseWriter, r *http.Request) {
	load, ok := readJSON[protocol.Load](w, r)
	if !ok {
		return
	}
	if load.PerSecond < 1 {
		http.Error(w, "PerSecond must be at least 1", http.StatusBadRequest)
		return
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(r.Context()))
	run := &running{stop: stop, done: make(chan struct{}), load: load, report: protocol.Report{Statuses: map[int]int{}}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loads[r.PathValue("name")] != nil {
		stop()
		http.Error(w, "there is a load of that name", http.StatusConflict)
		return
	}
	s.loads[r.PathValue("name")] = run
	go run.run(ctx)
}

// serveStop ends a load and answers with its Report.
func (s *sender) serveStop(w http.ResponseWriter, r *http.Request) {
	if run := s.find(r.PathValue("name")); run != nil {
		run.stop()
	}
	s.serveWait(w, r)
}

// serveWait waits until a load ends by itself and answers with its Report.
func (s *sender) serveWait(w http.ResponseWriter, r *http.Request) {
	run := s.find(r.PathValue("name"))
	if run == nil {
		http.Error(w, "there is no load of that name", http.StatusNotFound)
		return
	}
	select {
	case <-run.done:
		writeJSON(w, run.report)
	case <-r.Context().Done():
	}
}

func (s *sender) find(name string) *running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads[name]
}

// run sends until ctx ends or all is sent, and waits for the answers.
func (l *running) run(ctx context.Context) {
	defer close(l.done)
	defer l.stop()
	client := newClient(l.load.Kept)
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(time.Second / time.Duration(l.load.PerSecond))
	defer ticker.Stop()
	var requests sync.WaitGroup
	defer requests.Wait()
	for i := 0; l.load.Count == 0 || i < l.load.Count; i++ {
		l.report.Sent++
		requests.Go(func() { l.send(client, l.load.Prefix+strconv.Itoa(i)) })
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *running) send(client *http.Client, id string) {
	for {
		begin := time.Now()
		answer, err := post(client, l.load, id)
		l.note(id, answer, err, time.Since(begin))
		if err != nil || answer.status != http.StatusServiceUnavailable || !l.load.Again {
			return
		}
		time.Sleep(answer.retryAfter)
	}
}

// note puts an answer, or that there was none, into the report.
func (l *running) note(id string, answer answer, err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Slowest = max(l.report.Slowest, took.Seconds())
	if err != nil {
		l.report.Failed++
		if len(l.report.Errors) < maxErrors {
			l.report.Errors = append(l.report.Errors, err.Error())
		}
		return
	}
	l.report.Statuses[answer.status]++
	if answer.status/100 == 2 {
		l.report.Accepted = append(l.report.Accepted, id)
	}
}

// newClient is one that sends each request once: no redirects, no second
// attempt on another connection.
func newClient(kept bool) *http.Client {
	return &http.Client{
		Timeout:       answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirect") },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: answerTimeout / 2}).DialContext,
			DisableKeepAlives:   !kept,
			MaxIdleConnsPerHost: 16,
		},
	}
}

// answer is what the receiver said.
type answer struct {
	status     int
	retryAfter time.Duration // with 503
}

// post sends one event as GitHub does (docs.github.com, "Validating webhook
// deliveries"): the signature is the HMAC of the body.
func post(client *http.Client, load protocol.Load, id string) (answer, error) {
	body := fmt.Appendf(nil, `{"zen": "Half measures are as bad as nothing at all.", "event": %q}`, id)
	mac := hmac.New(sha256.New, []byte(load.Secret))
	mac.Write(body)
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, load.URL, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.GetBody = nil // so that net/http can't send it again by itself
	request.Header = http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"GitHub-Hookshot/044aadd"},
		"X-Github-Event":      {"push"},
		"X-Github-Delivery":   {id},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxEvent)); err != nil {
		return answer{}, err
	}
	if response.StatusCode != http.StatusServiceUnavailable {
		return answer{status: response.StatusCode}, nil
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		return answer{}, errors.New("a 503 that doesn't say when to come again")
	}
	return answer{status: response.StatusCode, retryAfter: time.Duration(seconds) * time.Second}, nil
}
