package deliver

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// closing is a server that answers one request on each connection. It closes the
// connection when the next request begins to arrive: that is the race, and no luck.
type closing struct {
	listener net.Listener
	answered atomic.Int64
	dropped  atomic.Int64 // connections that were closed while a request came
}

func newClosing(t *testing.T) *closing {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c := &closing{listener: listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

func (c *closing) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, request.Body)
	c.answered.Add(1)
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	if _, err := reader.Peek(1); err == nil {
		c.dropped.Add(1)
	}
}

// A target that closes a kept connection while the next request is on its way has not
// failed.
func TestAConnectionClosedMeanwhileIsNoFailure(t *testing.T) {
	for name, size := range map[string]int{"small events": 100, "large events": 1 << 20, "larger than what the kernel buffers": 6 << 20} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			target := newClosing(t)
			endpoint := w.targetAt("api", target.listener.Addr().String())
			d := w.dispatcher()
			const n = 4
			for i := range n {
				d.Offer(w.acceptBody(endpoint, fmt.Sprint(i), bytes.Repeat([]byte{'x'}, size)))
				w.want(audit.Delivered, 1) // one after the other, so that the connection is kept
			}
			if target.answered.Load() != n || target.dropped.Load() == 0 {
				t.Errorf("%d requests were answered, and %d connections closed too early: the test tests nothing", target.answered.Load(), target.dropped.Load())
			}
			if len(d.core.targets.circuits) != 0 {
				t.Error("the circuit of the target knows of a failure")
			}
		})
	}
}

// acceptBody stores an event with a body.
func (w *world) acceptBody(endpoint, id string, body []byte) (*store.Event, store.Lease) {
	w.t.Helper()
	digest := sha256.Sum256(body)
	e := &store.Event{
		Meta:   event.Meta{Endpoint: endpoint, ID: id, ReceivedAt: w.now(), BodyBytes: int64(len(body)), BodySHA256: hex.EncodeToString(digest[:])},
		Method: http.MethodPost, Body: body,
	}
	outcome, leases, err := w.store.Accept(w.t.Context(), e, store.AcceptOptions{Lease: Lease, Window: Lease})
	if err != nil || outcome != store.Accepted {
		w.t.Fatalf("Accept(%s) = %s, %v", id, outcome, err)
	}
	return e, leases[0]
}

// A connection that breaks while nothing is kept is a failure: the target may have the
// event, and an attempt asks it once.
func TestANewConnectionThatBreaksIsAFailure(t *testing.T) {
	w := newWorld(t)
	target := &recovering{broken: cutsOff}
	endpoint := w.target("api", target.ServeHTTP)
	w.setRoute(endpoint, slowRetries)
	w.offer(w.dispatcher(), endpoint, "1")
	w.want(audit.RetryScheduled, 1)
	if asked := target.asked.Load(); asked != 1 {
		t.Errorf("the target was asked %d times, want 1", asked)
	}
}

// As many connections are kept as attempts are made at a time.
func TestConnectionsAreKept(t *testing.T) {
	const inFlight, rounds = 200, 5
	w := newWorld(t)
	var opened atomic.Int64
	arrived, answer := make(chan struct{}, inFlight), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	endpoint := w.targetAt("api", strings.TrimPrefix(server.URL, "http://"))
	w.setRoute(endpoint, func(r *route.Route) { r.Delivery.MaxInFlight = inFlight })
	d := w.dispatcher()
	for round := range rounds {
		for i := range inFlight {
			w.offer(d, endpoint, fmt.Sprint(round, "-", i))
		}
		for range inFlight {
			await(t, arrived, "a request")
		}
		for range inFlight {
			answer <- struct{}{}
		}
		for range inFlight {
			w.want(audit.Delivered, 1)
		}
	}
	// On a machine that stands still for the idle timeout, the connections are new once.
	if got := opened.Load(); got > 2*inFlight {
		t.Errorf("%d connections were opened for %d rounds of %d attempts at a time, want %d", got, rounds, inFlight, inFlight)
	}
}
