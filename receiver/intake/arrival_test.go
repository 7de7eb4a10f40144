package intake

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// A body gets its grace, then as much time as it has earned, and its timeout at most.
func TestBodiesHaveToKeepAPace(t *testing.T) {
	var deadlines []time.Duration
	const size = 300 << 10
	a := &arrival{body: iotest.OneByteReader(strings.NewReader(strings.Repeat("x", size))), grace: bodyGrace, timeout: bodyTimeout}
	a.setDeadline = func(deadline time.Time) { deadlines = append(deadlines, deadline.Sub(a.began)) }
	if _, err := io.Copy(io.Discard, a); err != nil {
		t.Fatal(err)
	}
	if a.bytes != size || deadlines[0] != bodyGrace || deadlines[1] != bodyGrace+paceStep || deadlines[len(deadlines)-1] != bodyTimeout || len(deadlines) > int(bodyTimeout/paceStep) {
		t.Errorf("after %d bytes the deadlines are %v", a.bytes, deadlines)
	}
}

// A sender that stops in the middle is not waited for.
func TestStalledBodyIsGivenUp(t *testing.T) {
	g := newGate(t, nil)
	g.handler.bodyGrace = 50 * time.Millisecond
	conn := g.dial()
	if _, err := conn.Write([]byte("POST " + testPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")); err != nil {
		t.Fatal(err)
	}
	if got := g.readFrom(conn); got.StatusCode != 408 || !got.Close {
		t.Errorf("the answer is %d, connection closed: %v", got.StatusCode, got.Close)
	}
}
