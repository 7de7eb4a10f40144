package intake

import (
	"context"
	"net"
	"net/http"
	"sync"

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
	open          map[net.Conn]*connection
	idle, awaited queue[*connection] // between requests; whose request is not complete
	closed        bool               // the listener
}

// connection is one of Connections. A nil one, of a test without a server, does nothing.
type connection struct {
	of    *Connections
	conn  net.Conn
	place node[*connection]
	idle  bool
}

// NewConnections returns the bound of a server; 0: it has none.
func NewConnections(bound int, registry prometheus.Registerer) *Connections {
	auto := promauto.With(registry)
	c := &Connections{bound: bound, open: map[net.Conn]*connection{}, shed: auto.NewCounter(prometheus.CounterOpts{
		Name: "sallyport_connections_shed_total", Help: "Connections of senders that were closed to make room for new ones.",
	})}
	c.changed.L = &c.mu
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_connections", Help: "Open connections of senders."}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(len(c.open))
	})
	return c
}

// Listener returns a listener with the bound, for the server of NewServer.
func (c *Connections) Listener(l net.Listener) net.Listener {
	return &boundListener{Listener: l, connections: c}
}

// watch makes s tell c of its connections.
func (c *Connections) watch(s *http.Server) {
	s.ConnState = c.changeState
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		c.mu.Lock()
		defer c.mu.Unlock()
		return context.WithValue(ctx, connectionKey{}, c.open[conn])
	}
}

type connectionKey struct{}

// connectionOf returns the connection of a request.
func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	return c
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
	if !l.connections.admit(conn) {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (l *boundListener) Close() error {
	l.connections.mu.Lock()
	l.connections.closed = true
	l.connections.mu.Unlock()
	l.connections.changed.Broadcast()
	return l.Listener.Close()
}

// admit waits until there is room for conn. It returns false if the listener was closed
// meanwhile.
func (c *Connections) admit(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.bound > 0 && len(c.open) >= c.bound && !c.closed {
		if !c.evict() {
			c.changed.Wait()
		}
	}
	if c.closed {
		return false
	}
	admitted := &connection{of: c, conn: conn}
	admitted.place.element = admitted
	c.open[conn] = admitted
	c.awaited.push(&admitted.place)
	return true
}

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
	_ = victim.conn.Close()
	return true
}

func (c *Connections) remove(gone *connection) {
	gone.place.leave()
	delete(c.open, gone.conn)
	c.changed.Signal()
}

// changeState is called by the server.
func (c *Connections) changeState(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.open[conn]
	if known == nil {
		return // evicted, or not accepted by our listener
	}
	switch state {
	case http.StateActive:
		if known.idle { // a new one gets no younger by its first byte
			known.idle = false
			known.move(&c.awaited)
		}
	case http.StateIdle:
		known.idle = true
		known.move(&c.idle)
		c.changed.Signal() // it can be evicted
	case http.StateClosed, http.StateHijacked:
		c.remove(known)
	case http.StateNew: // awaited already
	}
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
	if c.of.open[c.conn] == c {
		c.move(&c.of.awaited)
		c.of.changed.Signal()
	}
}

// move puts the connection at the end of q.
func (c *connection) move(q *queue[*connection]) {
	c.place.leave()
	q.push(&c.place)
}
