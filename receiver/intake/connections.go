package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Connections bounds the connections of a server. A new one beyond the bound takes the
// place of one that is idle, or else of the one whose sender has taken the longest to
// send its request. Only if all senders wait for us does the new one wait, too. So
// whoever sends without delay gets through, however many others hold connections.
type Connections struct {
	bound int
	shed  prometheus.Counter

	mu            sync.Mutex
	changed       sync.Cond
	open          int
	idle, awaited queue[*connection] // between requests; whose request is not complete
	closed        bool               // the listener
}

// NewConnections returns the bound of a server; 0: it has none.
func NewConnections(bound int, registry prometheus.Registerer) *Connections {
	auto := promauto.With(registry)
	c := &Connections{bound: bound, shed: auto.NewCounter(prometheus.CounterOpts{
		Name: "sallyport_connections_shed_total", Help: "Connections of senders that were closed to make room for new ones.",
	})}
	c.changed.L = &c.mu
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_connections", Help: "Open connections of senders."}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(c.open)
	})
	return c
}

// Listener returns a listener with the bound, for the server of NewServer.
func (c *Connections) Listener(l net.Listener) net.Listener {
	return &boundListener{Listener: l, connections: c}
}

// watch makes s tell c of its connections.
func (c *Connections) watch(s *http.Server) {
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if ours, ok := conn.(*connection); ok {
			c.changeState(ours, state)
		}
	}
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
}

// boundListener accepts connections of its Connections.
type boundListener struct {
	net.Listener
	connections *Connections
}

// Accept implements net.Listener.
func (l *boundListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	admitted := &connection{Conn: conn, of: l.connections}
	if !l.connections.admit(admitted) {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	return admitted, nil
}

// Close implements net.Listener.
func (l *boundListener) Close() error {
	l.connections.mu.Lock()
	l.connections.closed = true
	l.connections.mu.Unlock()
	l.connections.changed.Broadcast()
	return l.Listener.Close()
}

// admit waits until there is room. It returns false if the listener was closed
// meanwhile.
func (c *Connections) admit(admitted *connection) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.bound > 0 && c.open >= c.bound && !c.closed {
		if !c.evict() {
			c.changed.Wait()
		}
	}
	if c.closed {
		return false
	}
	c.open++
	admitted.place.element = admitted
	c.awaited.push(&admitted.place)
	return true
}

// evict closes a connection whose sender doesn't wait for us, if there is one.
func (c *Connections) evict() bool {
	victim, ok := c.idle.oldest()
	if !ok {
		victim, ok = c.awaited.oldest()
	}
	if !ok {
		return false
	}
	c.remove(victim)
	c.shed.Inc()
	_ = victim.Close()
	return true
}

func (c *Connections) remove(gone *connection) {
	if gone.gone {
		return
	}
	gone.gone = true
	gone.place.leave()
	c.open--
	c.changed.Signal()
}

// changeState is called by the server, in the goroutine that serves the connection.
func (c *Connections) changeState(changed *connection, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateActive:
		if changed.idle { // a new one gets no younger by its first byte
			changed.idle = false
			changed.move(&c.awaited)
		}
	case http.StateIdle:
		changed.idle = true
		changed.lines.Store(0)
		changed.move(&c.idle)
	case http.StateClosed, http.StateHijacked:
		c.remove(changed)
	case http.StateNew: // awaited already
	}
}

// connection is one of Connections. A nil one, of a test without a server, does nothing.
type connection struct {
	net.Conn
	of    *Connections
	place node[*connection]
	idle  bool
	gone  bool

	lines atomic.Int64 // of the headers so far; negative: they have ended
}

type connectionKey struct{}

// connectionOf returns the connection of a request, whose headers have ended.
func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	if c != nil {
		c.lines.Store(-1)
	}
	return c
}

// tooManyLines answers whoever writes more header lines than admit would answer.
const tooManyLines = "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// Read implements io.Reader. It ends the connection if too many header lines came.
// net/http bounds their bytes only, and short lines take fifteen times as much memory as
// they have bytes.
func (c *connection) Read(p []byte) (int, error) {
	lines := c.lines.Load()
	if lines > 2*maxHeaderLines { // and not yet all, since more is to be read
		_, _ = io.WriteString(c.Conn, tooManyLines)
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	if lines >= 0 {
		c.lines.Add(int64(bytes.Count(p[:n], []byte{'\n'})))
	}
	return n, err
}

// CloseWrite lets the server end a connection in order.
func (c *connection) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}

// busy says that the request is complete: its sender waits for us.
func (c *connection) busy() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.place.leave()
}

// await says that we wait for the sender again.
func (c *connection) await() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.move(&c.of.awaited)
}

// move puts the connection at the end of q, from where it can be evicted.
func (c *connection) move(q *queue[*connection]) {
	if c.gone {
		return
	}
	c.place.leave()
	q.push(&c.place)
	c.of.changed.Signal()
}
