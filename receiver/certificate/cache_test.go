package certificate

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/egress"
)

// certOf looks like a certificate, as far as the cache looks.
func certOf(path string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(path)}))
}

// world is a Cache before a TLS server.
type world struct {
	*Cache
	server *httptest.Server
	asked  atomic.Int64
	now    atomic.Int64 // seconds
	answer atomic.Pointer[http.HandlerFunc]
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.answers(func(writer http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(writer, certOf(r.URL.Path))
	})
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		(*w.answer.Load())(writer, r)
	}))
	t.Cleanup(w.server.Close)
	w.Cache = NewCache(egress.NewWithTransport(w.server.Client().Transport), func() time.Time { return time.Unix(w.now.Load(), 0) })
	return w
}

func (w *world) answers(handler http.HandlerFunc) { w.answer.Store(&handler) }

func (w *world) pass(d time.Duration) { w.now.Add(int64(d / time.Second)) }

// get expects a document, or an error that says something.
func (w *world) get(t *testing.T, path, says string) {
	t.Helper()
	got, err := w.Get(t.Context(), w.server.URL+path)
	switch {
	case says == "" && (err != nil || string(got) != certOf(path)):
		t.Errorf("%s: got %q, %v", path, got, err)
	case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
		t.Errorf("%s: got %q, %v, want an error with %q", path, got, err, says)
	}
}

func (w *world) expectAsked(t *testing.T, want int64) {
	t.Helper()
	if got := w.asked.Load(); got != want {
		t.Errorf("the server was asked %d times, want %d", got, want)
	}
}

func TestCertificateIsFetchedOnceAnHour(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.get(t, "/a", "")
		w.get(t, "/b", "")
	}
	w.expectAsked(t, 2)
	w.pass(keptFor - time.Second)
	w.get(t, "/a", "")
	w.expectAsked(t, 2)
	w.pass(time.Second)
	w.get(t, "/a", "")
	w.expectAsked(t, 3)
}

func TestFailureIsNotTriedAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	healthy := *w.answer.Load()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"an error":   {func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(500) }, "answered 500"},
		"a redirect": {func(writer http.ResponseWriter, r *http.Request) { http.Redirect(writer, r, "/b", http.StatusFound) }, "answered 302"},
		"a page":     {func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, "<html>") }, "not a certificate"},
		"a key": {func(writer http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(writer, strings.ReplaceAll(certOf(""), "CERTIFICATE", "PUBLIC KEY"))
		}, "not a certificate"},
		"too large": {func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write(make([]byte, egress.MaxBody+1)) }, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(name, " ", "-")
			before := w.asked.Load()
			w.answers(test.answer)
			w.get(t, path, test.says)
			w.answers(healthy)
			w.get(t, path, test.says)
			w.pass(failedFor - time.Second)
			w.get(t, path, test.says)
			w.expectAsked(t, before+1)
			w.pass(time.Second)
			w.get(t, path, "")
			w.expectAsked(t, before+2)
		})
	}
}

func TestManyRequestsShareOneFetch(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.answers(func(writer http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(writer, certOf("/a"))
	})
	var waiting, done sync.WaitGroup
	for range 100 {
		waiting.Add(1)
		done.Go(func() {
			waiting.Done()
			w.get(t, "/a", "")
		})
	}
	waiting.Wait()
	close(release)
	done.Wait()
	w.expectAsked(t, 1)
}

// Who gives up leaves the fetch to those who still wait, and to those who come.
func TestFetchOutlivesTheRequestThatBeganIt(t *testing.T) {
	w := newWorld(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.answers(func(writer http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(writer, certOf("/a"))
	})
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := w.Get(ctx, w.server.URL+"/a")
		gaveUp <- err
	}()
	<-arrived
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(release)
	w.get(t, "/a", "")
	w.expectAsked(t, 1)
}

func TestWhatIsMadeUpPushesNothingOutThatIsUsed(t *testing.T) {
	w := newWorld(t)
	w.get(t, "/used", "")
	for i := range 3 * maxKept {
		w.get(t, fmt.Sprint("/made-up-", i), "")
		w.get(t, "/used", "")
	}
	w.expectAsked(t, 1+3*maxKept)
	w.answers(func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(404) })
	for i := range maxFailed + 10 {
		w.get(t, fmt.Sprint("/missing-", i), "404")
	}
	w.get(t, "/used", "")
	if len(w.kept.items) != maxKept || len(w.failed.items) != maxFailed {
		t.Errorf("%d documents and %d failures are kept, want %d and %d", len(w.kept.items), len(w.failed.items), maxKept, maxFailed)
	}
}

func TestWhatHasEndedMakesRoomFirst(t *testing.T) {
	s := newShelf(2)
	start := time.Unix(0, 0)
	s.put("short", &item{ends: start.Add(time.Second)}, start)
	s.put("long", &item{ends: start.Add(time.Hour)}, start)
	s.find("short", start) // it was used last
	s.put("new", &item{ends: start.Add(time.Hour)}, start.Add(time.Minute))
	if s.find("long", start) == nil || s.find("new", start) == nil || len(s.items) != 2 {
		t.Errorf("the shelf holds %v", s.items)
	}
}

// busy is a Getter that has too much to do, once.
type busy struct{ asked int }

func (b *busy) Get(context.Context, string) ([]byte, error) {
	if b.asked++; b.asked == 1 {
		return nil, egress.ErrBusy
	}
	return []byte(certOf("/")), nil
}

func TestThatWeAreBusyIsNotRemembered(t *testing.T) {
	c := NewCache(&busy{}, time.Now)
	if _, err := c.Get(t.Context(), "https://example.com/"); !errors.Is(err, egress.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if got, err := c.Get(t.Context(), "https://example.com/"); err != nil || string(got) != certOf("/") {
		t.Errorf("got %q, %v", got, err)
	}
}
