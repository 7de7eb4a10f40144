package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Received is a request that a Target got.
type Received struct {
	At           time.Time
	Method, Path string
	Query        string // as it is written
	Header       http.Header
	Body         []byte
}

// EventID is the id by which a target recognises an event again.
func (r Received) EventID() string { return r.Header.Get("Sallyport-Event-Id") }

// String identifies the request in messages of tests.
func (r Received) String() string {
	return fmt.Sprintf("%s %s event %s attempt %s, %d bytes", r.Method, r.Path, r.EventID(), r.Header.Get("Sallyport-Attempt"), len(r.Body))
}

// Reaction decides how a Target answers a request. ctx ends when the sender
// gives up or the Target closes. 0 means no answer: the connection is cut.
type Reaction func(ctx context.Context, r Received) (status int)

// Status is a Reaction: that status at once.
func Status(status int) Reaction {
	return func(context.Context, Received) int { return status }
}

// Hang is a Reaction: no answer until the sender gives up.
func Hang(ctx context.Context, _ Received) int {
	<-ctx.Done()
	return 0
}

// Sequence is a Reaction: the first request gets the first status, and so on;
// the last one goes for all that follow.
func Sequence(statuses ...int) Reaction {
	var mu sync.Mutex
	return func(context.Context, Received) int {
		mu.Lock()
		defer mu.Unlock()
		status := statuses[0]
		if len(statuses) > 1 {
			statuses = statuses[1:]
		}
		return status
	}
}

// Target is an HTTP server in the place of a Service. It notes every request
// before it reacts. It is safe for concurrent use.
type Target struct {
	// Address is "127.0.0.1:<port>".
	Address string
	// Requests are what came.
	Requests *Journal[Received]

	mu     sync.Mutex
	react  Reaction
	reply  []byte // of answers with a 2xx
	server *http.Server
	stop   context.CancelFunc
}

// StartTarget starts a Target that answers 200. The caller closes it.
func StartTarget(ctx context.Context) (*Target, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the target: %w", err)
	}
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	t := &Target{Address: listener.Addr().String(), Requests: NewJournal[Received](), react: Status(http.StatusOK), stop: stop}
	t.server = &http.Server{
		Handler: t, ReadHeaderTimeout: sendTimeout,
		BaseContext: func(net.Listener) context.Context { return base },
	}
	go func() { _ = t.server.Serve(listener) }()
	return t, nil
}

// React sets how requests that come from now on are answered.
func (t *Target) React(reaction Reaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.react = reaction
}

// Reply sets the body of answers with a 2xx, which is JSON.
func (t *Target) Reply(body string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reply = []byte(body)
}

// Close ends the server; whoever waits for an answer gets none.
func (t *Target) Close() {
	t.stop()
	_ = t.server.Close()
}

// ServeHTTP implements http.Handler.
func (t *Target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // half a request: the sender is gone
	}
	received := Received{At: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: body}
	t.mu.Lock()
	react, reply := t.react, t.reply
	t.mu.Unlock()
	t.Requests.Add(received)

	status := react(r.Context(), received)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	if status < 200 || status > 299 || len(reply) == 0 {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(reply)
}
