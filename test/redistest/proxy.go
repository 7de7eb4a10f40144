package redistest

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy stands between a client and a Server and can lose replies: commands
// still reach the server, but their answers don't come back. It is safe for
// concurrent use.
type Proxy struct {
	// Addr is the address for the client, "127.0.0.1:<port>".
	Addr string

	target string
	lose   atomic.Int64 // replies still to be lost

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// StartProxy runs a proxy to target until the test ends.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen for the proxy: %v", err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, conns: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() { p.accept(l, &running) })
	tb.Cleanup(func() {
		_ = l.Close()
		p.closeAll()
		running.Wait()
	})
	return p
}

// LoseReplies makes the proxy cut the connection instead of passing on the
// next n chunks of bytes from the server.
func (p *Proxy) LoseReplies(n int) { p.lose.Store(int64(n)) }

// Lost reports whether every reply that LoseReplies asked for was lost.
func (p *Proxy) Lost() bool { return p.lose.Load() <= 0 }

func (p *Proxy) accept(l net.Listener, running *sync.WaitGroup) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.keep(client, server)
		running.Go(func() { p.pass(client, server, nil) })
		running.Go(func() { p.pass(server, client, &p.lose) })
	}
}

// pass copies until either side ends or, if lose is given and positive, until
// the first chunk to lose has been read; then it cuts both sides.
func (p *Proxy) pass(from, to net.Conn, lose *atomic.Int64) {
	defer p.drop(from, to)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return
		}
		if lose != nil && lose.Load() > 0 {
			lose.Add(-1)
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *Proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}
