package intake

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"sallyport.dev/sallyport/receiver/route"
)

// sendAll sends a whole request before it looks for the answer, as some clients do.
func (g *gate) sendAll(path string, size int) int {
	g.t.Helper()
	conn := g.dial()
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, size)
	if _, err := io.Copy(conn, bytes.NewReader(make([]byte, size))); err != nil {
		g.t.Errorf("the body could not be sent: %v", err)
		return 0
	}
	return g.readFrom(conn).StatusCode
}

func TestRefusalsReachWhoIsStillSending(t *testing.T) {
	g := newGate(t, func(r *route.Route) { r.Limits.MaxBodyBytes = 25 << 20 })
	for range 20 {
		if status := g.sendAll(testPath, 26<<20); status != http.StatusRequestEntityTooLarge {
			t.Fatalf("26 MiB are answered %d", status)
		}
	}
	for _, size := range []int{readByServer, readByServer + 1, 1 << 20} {
		if status := g.sendAll("/nobody/here", size); status != http.StatusNotFound {
			t.Errorf("%d bytes to nobody are answered %d", size, status)
		}
	}
	g.handler.memory.large.size = 1 << 20
	if status := g.sendAll(testPath, 5<<20); status != http.StatusServiceUnavailable {
		t.Errorf("5 MiB without memory are answered %d", status)
	}
}
