package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/test/cluster"
)

// steady posts webhooks at a steady rate and is their target, too, so that it
// knows how long each took from the sender to the target.
type steady struct {
	receiver string // address
	rate     int    // per second
	body     []byte
	client   *http.Client
	number   atomic.Int64

	mu      sync.Mutex
	sent    map[string]time.Time // those that have not arrived
	took    []time.Duration      // those that have
	problem error
}

// Events of all runs have different numbers, so that none is a duplicate.
var trickled, filled atomic.Int64

// arriveWithin bounds how long the last webhooks of a measurement may take.
const arriveWithin = time.Minute

func newSteady(rate, bodyBytes int) *steady {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256}
	return &steady{rate: rate, body: make([]byte, bodyBytes), sent: map[string]time.Time{},
		client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// ServeHTTP implements http.Handler: it is the target.
func (s *steady) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	_, _ = io.Copy(io.Discard, r.Body)
	id := r.Header.Get("X-GitHub-Delivery")
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.sent[id]; ok { // a second time is not measured
		s.took = append(s.took, now.Sub(at))
		delete(s.sent, id)
	}
}

// measure posts until ctx ends and returns how long each webhook took from when
// its turn to be sent came, in the order in which they arrived. All have then.
func (s *steady) measure(ctx context.Context, name string) ([]time.Duration, error) {
	ticker := time.NewTicker(time.Second / time.Duration(s.rate))
	defer ticker.Stop()
	var posts sync.WaitGroup
	for running := true; running; {
		select {
		case at := <-ticker.C:
			posts.Go(func() { s.post(context.WithoutCancel(ctx), name, at) })
		case <-ctx.Done():
			running = false
		}
	}
	posts.Wait()
	if err := s.arrived(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	took := s.took
	s.took = nil
	return took, nil
}

// post sends one webhook and notes when.
func (s *steady) post(ctx context.Context, name string, at time.Time) {
	id := fmt.Sprintf("steady-%d", s.number.Add(1))
	s.mu.Lock()
	s.sent[id] = at
	s.mu.Unlock()
	if err := s.send(ctx, name, id); err != nil {
		s.mu.Lock()
		s.problem = err
		s.mu.Unlock()
	}
}

// send posts one webhook to an endpoint. Any answer but 200 is an error.
func (s *steady) send(ctx context.Context, name, id string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.receiver+isolatedPath(name), bytes.NewReader(s.body))
	if err != nil {
		return err
	}
	request.Header = cluster.GitHub(loadSecret, "push", id, s.body)
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %d %s", response.StatusCode, answer)
	}
	return err
}

// arrived waits for what was sent to arrive.
func (s *steady) arrived(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, arriveWithin)
	defer cancel()
	return poll(ctx, 10*time.Millisecond, func() (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.sent) == 0, s.problem
	})
}

// poll calls condition until it is true, fails, or ctx ends.
func poll(ctx context.Context, every time.Duration, condition func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill posts n webhooks, in turns to each endpoint, over so many connections.
func (s *steady) fill(ctx context.Context, names []string, n, connections int) error {
	last := filled.Add(int64(n))
	next := last - int64(n)
	var posts sync.WaitGroup
	problems := make(chan error, connections)
	for range connections {
		posts.Go(func() {
			for i := atomic.AddInt64(&next, 1); i <= last; i = atomic.AddInt64(&next, 1) {
				if err := s.send(ctx, names[i%int64(len(names))], fmt.Sprintf("fill-%d", i)); err != nil {
					problems <- err
					return
				}
			}
		})
	}
	posts.Wait()
	close(problems)
	return <-problems
}
