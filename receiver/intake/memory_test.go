package intake

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// reserve returns a reservation of an endpoint; its body is being read.
func reserve(m *memory, endpoint string) (r *reservation, interrupted *bool) {
	interrupted = new(bool)
	r = &reservation{memory: m, endpoint: endpoint}
	r.startReading(func(time.Time) { *interrupted = true })
	return r, interrupted
}

func TestSmallBodiesMakeRoomForTheNewest(t *testing.T) {
	m := newMemory()
	m.arriving.size = 3 * firstRead
	var silent []*reservation
	for range 3 {
		r, _ := reserve(m, "a/a")
		if !r.grow(firstRead) {
			t.Fatal("there is no room")
		}
		silent = append(silent, r)
	}
	newest, interrupted := reserve(m, "a/a")
	if !newest.grow(firstRead) || *interrupted || newest.grow(firstRead) == *interrupted {
		t.Error("the newest does not get the room of others")
	}
	if silent[0].stopReading() || silent[1].stopReading() || !silent[2].stopReading() || !newest.stopReading() {
		t.Error("the oldest did not make room, or others did")
	}
	if silent[0].grow(1) {
		t.Error("who made room goes on")
	}
	// Both are complete now: nothing is taken from them.
	if late, _ := reserve(m, "a/a"); late.grow(firstRead) {
		t.Error("a complete body made room")
	}
	// The oldest gets nothing by the loss of those who came later.
	newest.release()
	oldest, _ := reserve(m, "a/a")
	younger, interrupted := reserve(m, "a/a")
	if !oldest.grow(firstRead) || !younger.grow(firstRead) || oldest.grow(firstRead) || *interrupted {
		t.Error("the oldest took from others")
	}
}

func TestEndpointsShareWhatIsLeft(t *testing.T) {
	m := newMemory()
	alone := &reservation{memory: m, endpoint: "a/a"}
	if !alone.grow(route.MaxBodyBytes+1) || alone.grow(8<<20) {
		t.Error("an endpoint alone gets less than the largest body, or has no bound")
	}
	for i := range 5 {
		next := &reservation{memory: m, endpoint: fmt.Sprint("b/", i)}
		for next.grow(128 << 10) { // as much as there is
		}
		if next.bytes == 0 {
			t.Errorf("endpoint %d of those that take all they get has nothing", i)
		}
	}
}

func TestAuthenticEventsHaveMemoryOfTheirOwn(t *testing.T) {
	m := newMemory()
	for i := range 300 { // strangers have all that they can get
		r, _ := reserve(m, fmt.Sprint("a/", i))
		for r.grow(256 << 10) {
		}
	}
	genuine, _ := reserve(m, "a/1")
	if !genuine.grow(smallBytes) || !genuine.stopReading() || !genuine.verified() || genuine.pool != &m.storing {
		t.Errorf("a small event is not taken: %+v", genuine)
	}

	// And events that wait for their target have nothing of those that don't.
	busy := false
	for range 1000 {
		waits := &reservation{memory: m, endpoint: "a/sync", sync: true}
		busy = busy || !waits.grow(firstRead) || !waits.grow(smallBytes-firstRead) || !waits.verified()
	}
	if !busy || m.waiting.used == 0 || m.storing.used != smallBytes {
		t.Errorf("%d bytes wait, %d are stored", m.waiting.used, m.storing.used)
	}
	other := &reservation{memory: m, endpoint: "b/sync", sync: true}
	if !other.grow(smallBytes) || !other.verified() {
		t.Error("an endpoint that waits took all from the next one")
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	m := newMemory()
	for _, sync := range []bool{false, true} {
		for _, bytes := range []int64{1, smallBytes, smallBytes + 1, waitingBytes + 1, route.MaxBodyBytes} {
			r, _ := reserve(m, "a/a")
			r.sync = sync
			if !r.grow(bytes) || !r.stopReading() || !r.verified() || r.bytes != bytes || m.used() != bytes {
				t.Errorf("%d bytes are %d of %d", bytes, r.bytes, m.used())
			}
			r.release()
			r.release()
			if m.used() != 0 || len(m.large.of)+len(m.storing.of)+len(m.waiting.of) != 0 {
				t.Errorf("%d bytes of %d are left, of %v", m.used(), bytes, m.large.of)
			}
		}
	}
	new(reservation).release() // of a request without a route
}

// The accounting is of what is in memory, and is given back.
func TestBytesInFlightAreBounded(t *testing.T) {
	g := newGate(t, func(r *route.Route) { r.Limits.MaxBodyBytes = 64 << 20 })
	g.handler.memory.large.size = 512 << 10
	if got := g.post("evt_1", strings.Repeat("x", 1<<20)); got.StatusCode != 503 || got.Header.Get("Retry-After") != "2" {
		t.Errorf("the answer without room is %d, Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
	g.handler.memory.large.size = largeBytes
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			if got := g.post(fmt.Sprint(i), strings.Repeat("x", 1<<20)); got.StatusCode != 200 {
				t.Errorf("the answer with room is %d", got.StatusCode)
			}
		})
	}
	senders.Wait()
	for range 9 {
		g.record()
	}
	if used := g.handler.memory.used(); used != 0 {
		t.Errorf("%d bytes are still reserved", used)
	}
}

// A sender whose memory went to others is told to come again.
func TestWhoMadeRoomIsAnswered(t *testing.T) {
	g := newGate(t, nil)
	g.handler.memory.arriving.size = firstRead
	silent := g.dial()
	fmt.Fprintf(silent, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc", testPath)
	g.awaitBytes(firstRead)
	if got := g.post("evt_1", "{}"); got.StatusCode != 200 {
		t.Errorf("the newest is answered %d", got.StatusCode)
	}
	response, err := http.ReadResponse(bufio.NewReader(silent), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.read(response); got.StatusCode != 503 || got.Header.Get("Retry-After") != "2" || !got.Close {
		t.Errorf("the oldest is answered %d, Retry-After %q, closed: %v", got.StatusCode, got.Header.Get("Retry-After"), got.Close)
	}
}
