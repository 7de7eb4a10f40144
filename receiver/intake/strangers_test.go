package intake

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// awaitBytes waits until requests have so much memory.
func (g *gate) awaitBytes(bytes int64) {
	g.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); g.handler.memory.used() < bytes; runtime.Gosched() {
		if time.Now().After(deadline) {
			g.t.Fatalf("requests have %d bytes, want %d", g.handler.memory.used(), bytes)
		}
	}
}

// promise opens so many connections that promise a body to a path and send none of it.
func (g *gate) promise(path string, connections int) {
	g.t.Helper()
	for range connections {
		_, err := fmt.Fprintf(g.dial(), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", path)
		if err != nil {
			g.t.Fatal(err)
		}
	}
}

// Strangers without bandwidth keep nobody from sending.
func TestSilentConnectionsTakeNothingFromSenders(t *testing.T) {
	const atOne, atAnother = 2300, 700
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < 2*(atOne+atAnother)+500 {
		t.Skipf("%d files can't be so many connections: %v", files.Cur, err)
	}
	g := newGate(t, nil)
	g.handler.Audit = discard{}
	paths := g.publish(3)
	g.promise(paths[0], atOne)
	g.promise(paths[1], atAnother)
	g.awaitBytes((atOne + atAnother) * firstRead)
	for i, path := range paths {
		for _, body := range []string{"{}", strings.Repeat("x", 64<<10)} {
			id := fmt.Sprint(i, len(body))
			if got := g.send(http.MethodPost, path, signed(id, []byte(body)), strings.NewReader(body)); got.StatusCode != 200 {
				t.Errorf("%d bytes to %s are answered %d %q", len(body), path, got.StatusCode, got.Error)
			}
		}
	}
}

// It needs no room for all of them: those who have kept us waiting make room.
func TestSendersGetThroughWhereStrangersHaveAllMemory(t *testing.T) {
	g := newGate(t, nil)
	g.handler.memory.arriving.size = 2 * smallBytes
	paths := g.publish(3)
	g.promise(paths[0], 100)
	g.promise(paths[1], 100)
	for range 200 - 2*smallBytes/firstRead { // those who made room by now
		if r := g.record(); r.StatusCode != 503 {
			t.Errorf("a stranger is answered %d", r.StatusCode)
		}
	}
	for i, path := range paths {
		for _, body := range []string{"{}", strings.Repeat("x", 64<<10)} {
			id := fmt.Sprint(i, len(body))
			if got := g.send(http.MethodPost, path, signed(id, []byte(body)), strings.NewReader(body)); got.StatusCode != 200 {
				t.Errorf("%d bytes to %s are answered %d %q", len(body), path, got.StatusCode, got.Error)
			}
		}
	}
}

// publish adds endpoints like the test route's to it, and returns the paths of all.
func (g *gate) publish(endpoints int) []string {
	g.t.Helper()
	paths := []string{testPath}
	for i := 1; i < endpoints; i++ {
		r := testRoute()
		r.Endpoint.Name, r.Path = fmt.Sprint("more-", i), fmt.Sprint("/billing/more-", i)
		o := objectOf(g.t, r)
		g.live.Apply(map[string]*route.Object{o.Name: &o})
		paths = append(paths, r.Path)
	}
	return paths
}

func (g *gate) boundConnections(bound int) {
	g.connections.mu.Lock()
	defer g.connections.mu.Unlock()
	g.connections.bound = bound
}

// Many short header lines would take many times as much memory as they have bytes.
func TestHeaderLinesAreNotReadWithoutEnd(t *testing.T) {
	g := newGate(t, nil)
	conn := g.dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s", testPath, strings.Repeat("a:\r\n", 5000))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if errors.Is(err, syscall.ECONNRESET) {
		return // what was still on its way can have that effect
	} else if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("before the headers have ended the answer is %d", response.StatusCode)
	}
}

// A new connection takes the place of one that sends nothing.
func TestConnectionsAreBounded(t *testing.T) {
	g := newGate(t, nil)
	g.boundConnections(10)
	conns := make([]net.Conn, 0, 100)
	for range 100 {
		conns = append(conns, g.dial())
	}
	if got := g.post("evt_1", "{}"); got.StatusCode != 200 {
		t.Errorf("beside silent connections the answer is %d", got.StatusCode)
	}
	if _, err := conns[0].Read(make([]byte, 1)); err == nil {
		t.Error("the oldest is answered")
	}
	g.connections.mu.Lock()
	defer g.connections.mu.Unlock()
	if open := g.connections.open; open > 10 {
		t.Errorf("%d connections are open", open)
	}
}

// A connection between requests goes first, one whose sender waits for us never.
func TestConnectionsThatWaitForUsStay(t *testing.T) {
	g := newGate(t, nil)
	g.boundConnections(2)
	entered, proceed := make(chan struct{}), make(chan struct{})
	g.onEvent = func() { entered <- struct{}{}; <-proceed }
	answers := make(chan int, 3)
	send := func(id string) {
		client := &http.Client{Transport: new(http.Transport)}
		defer client.CloseIdleConnections()
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, g.server.URL+testPath, strings.NewReader("{}"))
		request.Header = signed(id, []byte("{}"))
		response, err := client.Do(request)
		if err != nil {
			t.Error(err)
			answers <- 0
			return
		}
		_ = response.Body.Close()
		answers <- response.StatusCode
	}
	go send("1")
	<-entered
	go send("2")
	<-entered
	go send("3") // waits for one of them
	proceed <- struct{}{}
	<-entered
	proceed <- struct{}{}
	proceed <- struct{}{}
	for range 3 {
		if status := <-answers; status != 200 {
			t.Errorf("an answer is %d", status)
		}
	}
}

// What strangers send does not count for the limit of the genuine sender.
func TestJunkDoesNotUseUpTheRateLimit(t *testing.T) {
	g := newGate(t, func(r *route.Route) { r.Limits.RateLimit = &route.RateLimit{PerSecond: 1, Burst: 2} })
	frozen := time.Now()
	g.handler.Now = func() time.Time { return frozen }
	for range 200 {
		got := g.send(http.MethodPost, testPath, http.Header{"X-Signature": {strings.Repeat("0", 64)}, "X-Id": {"junk"}}, strings.NewReader("{}"))
		if got.StatusCode != 401 {
			t.Fatalf("junk is answered %d", got.StatusCode)
		}
	}
	for i, want := range []int{200, 200, 429} {
		if got := g.post(fmt.Sprint(i), "{}"); got.StatusCode != want {
			t.Errorf("after the junk request %d of the sender is answered %d, want %d", i, got.StatusCode, want)
		}
	}
}

func TestStrangersAreLimitedBySource(t *testing.T) {
	g := newGate(t, func(r *route.Route) { r.Limits.RateLimit = &route.RateLimit{PerSecond: 1, Burst: 2} })
	now := time.Now()
	from := func(source string) *exchange {
		x := &exchange{entry: g.live.Table().Lookup(testPath, ""), source: netip.MustParseAddr(source)}
		x.meta.ReceivedAt = now
		return x
	}
	s := &g.handler.strangers
	stranger, neighbour, sender := from("2001:db8::1"), from("2001:db8::2"), from("192.0.2.1")
	for range strangersLeast {
		if !s.admit(stranger) {
			t.Fatal("a stranger is limited too early")
		}
		s.count(stranger)
	}
	if s.admit(stranger) || s.admit(neighbour) || !s.admit(sender) {
		t.Error("the stranger is not limited, or others are")
	}
	s.know(neighbour)
	if !s.admit(stranger) {
		t.Error("the sender's proxy is limited")
	}
	now = now.Add(lately * time.Second)
	if !s.admit(from("2001:db8::3")) {
		t.Error("a limit is for ever")
	}
}
