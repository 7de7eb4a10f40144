package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/test/cluster"
)

// The endpoint and the sender of the accept benchmark.
const (
	loadPath   = "/bench/github"
	loadSecret = "a secret that only the provider knows"
)

// load is what the senders do: each connection posts one webhook after the
// other. They write and read HTTP by hand, because on a machine that also runs
// the server a full client would hide half of what is to be seen.
type load struct {
	address     string
	connections int
	bodyBytes   int
	duration    time.Duration
}

// measured is what came of a load.
type measured struct {
	requests  int
	elapsed   time.Duration
	latencies []time.Duration // sorted
}

func (m measured) perSecond() float64 { return float64(m.requests) / m.elapsed.Seconds() }

// connectionIDs tells the connections of a run apart, so that no event id is
// ever used twice.
var connectionIDs atomic.Uint32

// run sends until the duration is over. Any answer but 200 is an error.
func (l load) run(ctx context.Context) (measured, error) {
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		all measured
		bad error
	)
	began := time.Now()
	for range l.connections {
		wg.Go(func() {
			latencies, err := l.send(ctx)
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, latencies...)
			if err != nil && bad == nil {
				bad = err
				cancel()
			}
		})
	}
	wg.Wait()
	all.requests, all.elapsed = len(all.latencies), time.Since(began)
	slices.Sort(all.latencies)
	return all, bad
}

// send posts on one connection until ctx ends, and returns the time that each
// request took.
func (l load) send(ctx context.Context) (latencies []time.Duration, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", l.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	request := newRequest(connectionIDs.Add(1), l.bodyBytes)
	answers := bufio.NewReader(conn)
	for n := uint32(0); ctx.Err() == nil; n++ {
		began := time.Now()
		if _, err := conn.Write(request.numbered(n)); err != nil {
			return latencies, err
		}
		if err := readAnswer(answers); err != nil {
			return latencies, err
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, nil
}

func readAnswer(r *bufio.Reader) error {
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %d %s", answer.StatusCode, body)
	}
	return err
}

// request is a webhook of GitHub whose delivery id can be changed in place: it
// is not part of what GitHub signs.
type request struct {
	bytes    []byte
	idAt     int
	idPrefix string
}

func newRequest(connection uint32, bodyBytes int) *request {
	const head, tail = `{"zen":"Keep it logically awesome.","padding":"`, `"}`
	body := []byte(head + string(bytes.Repeat([]byte("x"), max(bodyBytes-len(head)-len(tail), 0))) + tail)
	prefix := fmt.Sprintf("%08x-", connection)
	id := prefix + "00000000"
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n", loadPath, len(body))
	_ = cluster.GitHub(loadSecret, "push", id, body).Write(&b) // a Buffer takes everything
	b.WriteString("\r\n")
	b.Write(body)
	return &request{bytes: b.Bytes(), idAt: bytes.Index(b.Bytes(), []byte(id)), idPrefix: prefix}
}

// numbered returns the bytes of the n-th request of the connection.
func (r *request) numbered(n uint32) []byte {
	const digits = "0123456789abcdef"
	at := r.idAt + len(r.idPrefix)
	for i := 7; i >= 0; i-- {
		r.bytes[at+i] = digits[n&15]
		n >>= 4
	}
	return r.bytes
}
