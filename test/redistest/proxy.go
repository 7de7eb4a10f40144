package redistest

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy stands between a client and a Server and can lose replies: commands
// still reach the server, but their answers don't come back. It can also be as slow
// as a link. It is safe for concurrent use.
type Proxy struct {
	// Addr is the address for the client, "127.0.0.1:<port>".
	Addr string

	lose    atomic.Int64 // replies still to be lost
	up      link         // to the server
	down    link         // and back
	open    connections
	running sync.WaitGroup
}

// StartProxy runs a proxy to target until the test ends.
func StartProxy(tb TB, target string) *Proxy {
	tb.Helper()
	p := &Proxy{}
	p.Addr = p.open.accept(tb, target, &p.running, func(client, server net.Conn) {
		p.running.Go(func() { p.pass(client, server, &p.up, nil) })
		p.pass(server, client, &p.down, &p.lose)
	})
	return p
}

// LoseReplies makes the proxy cut the connection instead of passing on the
// next n chunks of bytes from the server.
func (p *Proxy) LoseReplies(n int) { p.lose.Store(int64(n)) }

// Throttle lets so many bytes a second pass in each direction, of all connections
// together; 0: any number.
func (p *Proxy) Throttle(bytesPerSecond int64) {
	p.up.rate.Store(bytesPerSecond)
	p.down.rate.Store(bytesPerSecond)
}

// link is one direction of a network that connections share.
type link struct {
	rate atomic.Int64 // bytes a second; 0: any number

	mu   sync.Mutex
	free time.Time // when what was sent so far has passed
}

// wait returns when n bytes have passed.
func (l *link) wait(n int) {
	rate := l.rate.Load()
	if rate == 0 {
		return
	}
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(rate))
	free := l.free
	l.mu.Unlock()
	time.Sleep(time.Until(free))
}

// Lost reports whether every reply that LoseReplies asked for was lost.
func (p *Proxy) Lost() bool { return p.lose.Load() <= 0 }

// pass copies until either side ends or, if lose is given and positive, until
// the first chunk to lose has been read; then it cuts both sides.
func (p *Proxy) pass(from, to net.Conn, over *link, lose *atomic.Int64) {
	defer p.open.drop(from, to)
	buf := make([]byte, 16<<10) // the share that a connection gets before others
	for {
		n, err := from.Read(buf)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return
		}
		if lose != nil && lose.Load() > 0 {
			lose.Add(-1)
			return
		}
		over.wait(n)
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// connections are those that a proxy keeps open. The zero value is empty.
type connections struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// accept listens until the test ends, and has serve called with each connection
// of a client and a new one to target. It returns the address for clients.
func (c *connections) accept(tb TB, target string, running *sync.WaitGroup, serve func(client, server net.Conn)) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen for the proxy: %v", err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			c.keep(client, server)
			running.Go(func() { serve(client, server) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		c.closeAll()
		running.Wait()
	})
	return l.Addr().String()
}

func (c *connections) keep(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		c.conns = map[net.Conn]struct{}{}
	}
	for _, conn := range conns {
		c.conns[conn] = struct{}{}
	}
}

func (c *connections) drop(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(c.conns, conn)
	}
}

func (c *connections) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
}
