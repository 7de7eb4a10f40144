package main

import (
	"io"
	"net/http"
	"sync"
	"time"

	"sallyport.dev/sallyport/test/e2e/agent/protocol"
)

// maxEvent bounds the body of an event: more than any test sends.
const maxEvent = 1 << 20

// target notes the events that it gets at /webhooks/ and how often.
type target struct {
	mu      sync.Mutex
	status  int
	taken   map[string]int
	refused int
	changed chan struct{} // closed and replaced at each event
}

func newTarget() *target {
	return &target{status: http.StatusOK, taken: map[string]int{}, changed: make(chan struct{})}
}

func (t *target) register(mux *http.ServeMux) {
	mux.HandleFunc("/webhooks/", t.serveEvent)
	mux.HandleFunc("POST /target/status", t.serveStatus)
	mux.HandleFunc("POST /target/await", t.serveAwait)
}

func (t *target) serveEvent(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxEvent)); err != nil {
		return // half a request: the receiver is gone
	}
	w.WriteHeader(t.note(r.Header.Get("Sallyport-Event-Id")))
}

// note counts a request for an event and returns the status to answer. Only
// what is answered with a 2xx counts as taken.
func (t *target) note(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status/100 != 2 {
		t.refused++
		return t.status
	}
	t.taken[id]++
	close(t.changed)
	t.changed = make(chan struct{})
	return t.status
}

// serveStatus sets what events are answered from now on.
func (t *target) serveStatus(w http.ResponseWriter, r *http.Request) {
	status, ok := readJSON[int](w, r)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status = status
}

// serveAwait answers when all events were taken, or when the time is up.
func (t *target) serveAwait(w http.ResponseWriter, r *http.Request) {
	awaited, ok := readJSON[protocol.Awaited](w, r)
	if !ok {
		return
	}
	timeout := time.After(time.Duration(awaited.Seconds) * time.Second)
	for {
		delivered, changed := t.look(awaited.IDs)
		if len(delivered.Missing) == 0 {
			writeJSON(w, delivered)
			return
		}
		select {
		case <-changed:
		case <-timeout:
			writeJSON(w, delivered)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (t *target) look(ids []string) (delivered protocol.Delivered, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delivered = protocol.Delivered{Repeated: map[string]int{}, Refused: t.refused}
	for _, id := range ids {
		switch n := t.taken[id]; n {
		case 0:
			delivered.Missing = append(delivered.Missing, id)
		case 1:
		default:
			delivered.Repeated[id] = n
		}
	}
	return delivered, t.changed
}
