package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func unlimited(int64) bool { return true }

func TestReadBodyIsExact(t *testing.T) {
	const limit = 300 << 10
	random := make([]byte, limit+1)
	rand.NewChaCha8([32]byte{1}).Read(random)
	for _, size := range []int64{0, 1, firstRead - 1, firstRead, firstRead + 1, smallBytes - 1, smallBytes, smallBytes + 1, limit - 1, limit, limit + 1} {
		for how, reader := range map[string]func(io.Reader) io.Reader{
			"plainly":           func(r io.Reader) io.Reader { return r },
			"in pieces":         iotest.HalfReader,
			"with EOF and data": iotest.DataErrReader,
		} {
			for _, declared := range []int64{size, -1} {
				if declared > limit {
					continue // refused before
				}
				got, err := readBody(reader(bytes.NewReader(random[:size])), declared, limit, unlimited)
				if size > limit {
					if !errors.Is(err, errBodyTooLarge) {
						t.Errorf("%d bytes read %s: the error is %v", size, how, err)
					}
					continue
				}
				if err != nil || !bytes.Equal(got, random[:size]) {
					t.Errorf("%d bytes, %d declared, read %s: %d bytes came, %v", size, declared, how, len(got), err)
				}
				if cap(got)-len(got) > len(got)/4+firstRead {
					t.Errorf("%d bytes keep %d of memory", len(got), cap(got))
				}
			}
		}
	}
}

func TestReadBodyReservesBeforeItTakes(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 1<<20)
	for room := int64(0); room < 1<<20; room += 100_000 {
		left := room
		reserve := func(n int64) bool {
			if n > left {
				return false
			}
			left -= n
			return true
		}
		if _, err := readBody(bytes.NewReader(body), -1, 2<<20, reserve); !errors.Is(err, errNoMemory) {
			t.Errorf("with room for %d bytes the error is %v", room, err)
		}
	}
	asked := int64(0)
	_, _ = readBody(strings.NewReader("x"), 20<<20, 20<<20, func(n int64) bool { asked += n; return true })
	if asked > firstRead {
		t.Errorf("a mere promise of 20 MiB gets %d bytes", asked)
	}
}

func TestReadBodyPassesErrorsOn(t *testing.T) {
	if _, err := readBody(iotest.TimeoutReader(strings.NewReader(strings.Repeat("x", 100_000))), -1, 1<<20, unlimited); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("the error is %v", err)
	}
}

func TestBodyArrivesByteForByte(t *testing.T) {
	g := newGate(t, nil)
	bodies := map[string]string{
		"empty":       "",
		"whitespace":  " \t{ \"a\" :\n\n1 }  ",
		"line ends":   "{}\r\n\r\n",
		"not UTF-8":   "{\"a\":\"\xff\xfe\x80\"}",
		"NUL":         "\x00{\x00}\x00",
		"BOM":         "\ufeff{}",
		"big numbers": `{"n":12345678901234567890.000,"n":1e400}`,
		"escapes":     `{"a":"\u00e9\/\ud800"}`,
		"form":        "a=%7B%22x%22%3A+1%7D&b=&a=2",
		"large":       strings.Repeat("\xf0\x9f\x92\xa9\r\n", 100_000),
	}
	for name, body := range bodies {
		for _, chunked := range []bool{false, true} {
			var reader io.Reader = strings.NewReader(body)
			if chunked {
				reader = io.MultiReader(reader)
			}
			if got := g.send(http.MethodPost, testPath, signed(name, []byte(body)), reader); got.StatusCode != 200 {
				t.Errorf("%s (chunked: %v) is answered %d %q", name, chunked, got.StatusCode, got.Error)
				continue
			}
			events := g.stored()
			if got := events[len(events)-1]; string(got.Body) != body {
				t.Errorf("%s (chunked: %v) has changed: %d bytes became %d", name, chunked, len(body), len(got.Body))
			}
		}
	}
}

// dial opens a bare connection, for requests that no client would make.
func (g *gate) dial() net.Conn {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.server.Listener.Addr().String())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

func (g *gate) readFrom(conn net.Conn) answered {
	g.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		g.t.Fatalf("there is no answer: %v", err)
	}
	return g.read(response)
}

// TestOldProtocol: some senders speak HTTP/1.0, which knows no Host, no chunks and no
// connection that stays.
func TestOldProtocol(t *testing.T) {
	g := newGate(t, nil)
	header := signed("evt_1", []byte("{}"))
	conn := g.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.0\r\nContent-Length: 2\r\nX-Signature: %s\r\nX-Id: evt_1\r\n\r\n{}", testPath, header.Get("X-Signature"))
	got := g.readFrom(conn)
	if got.StatusCode != 200 || got.EventID != "evt_1" || !got.Close || len(got.TransferEncoding) > 0 || got.ContentLength < 1 {
		t.Errorf("the answer is %d %+v, closed: %v, %v of %d bytes", got.StatusCode, got.EventID, got.Close, got.TransferEncoding, got.ContentLength)
	}
	if len(g.stored()) != 1 {
		t.Errorf("%d events are stored", len(g.stored()))
	}
}

// TestLengthsThatContradictEachOther: where a proxy and the receiver could differ in
// where a body ends, nothing is taken.
func TestLengthsThatContradictEachOther(t *testing.T) {
	for name, lines := range map[string]string{
		"two lengths":       "Content-Length: 2\r\nContent-Length: 3",
		"two encodings":     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"an unknown one":    "Transfer-Encoding: gzip, chunked",
		"an encoded length": "Content-Length: 0x2",
	} {
		g := newGate(t, nil)
		header := signed("evt_1", []byte("{}"))
		conn := g.dial()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\nX-Signature: %s\r\nX-Id: evt_1\r\n\r\n{}", testPath, lines, header.Get("X-Signature"))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode < 400 || !response.Close || len(g.stored()) != 0 {
			t.Errorf("%s: answered %d, closed: %v, %d events", name, response.StatusCode, response.Close, len(g.stored()))
		}
	}
}

func TestSlowBodyIsAnswered408(t *testing.T) {
	g := newGate(t, nil)
	g.handler.bodyTimeout = 50 * time.Millisecond
	conn := g.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", testPath)
	if got := g.readFrom(conn); got.StatusCode != 408 || !got.Close {
		t.Errorf("the answer is %d, connection closed: %v", got.StatusCode, got.Close)
	}
}

func TestTooLargeBodyIsRefusedBeforeItIsSent(t *testing.T) {
	g := newGate(t, nil)
	conn := g.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", testPath)
	if got := g.readFrom(conn); got.StatusCode != 413 {
		t.Errorf("the answer is %d, want 413 and no 100", got.StatusCode)
	}
}

func TestSenderThatAsksFirstIsToldToContinue(t *testing.T) {
	g := newGate(t, nil)
	header := signed("evt_1", []byte("{}"))
	conn := g.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nX-Signature: %s\r\nX-Id: evt_1\r\n\r\n", testPath, header.Get("X-Signature"))
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("the first line is %q, %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "{}")
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.read(response); got.StatusCode != 200 {
		t.Errorf("the answer is %d", got.StatusCode)
	}
}

func TestBrokenOffBodyIsNotStored(t *testing.T) {
	g := newGate(t, nil)
	conn := g.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", testPath)
	_ = conn.(*net.TCPConn).CloseWrite()
	if got := g.readFrom(conn); got.StatusCode != 400 {
		t.Errorf("the answer is %d", got.StatusCode)
	}
	if len(g.stored()) != 0 {
		t.Error("half a body is stored")
	}
}
