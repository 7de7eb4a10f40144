package certificate

import (
	"context"
	"crypto/x509"
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
	"sallyport.dev/sallyport/receiver/verify"
)

// world is a Cache before a TLS server.
type world struct {
	*Cache
	server *httptest.Server
	asked  atomic.Int64
	now    atomic.Int64 // seconds
	answer atomic.Pointer[http.HandlerFunc]
}

const endpoint = "billing/orders"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.now.Store(start.Unix())
	w.answers(healthy(t))
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		(*w.answer.Load())(writer, r)
	}))
	t.Cleanup(w.server.Close)
	w.Cache = NewCache(egress.NewWithTransport(egress.ForWebhooks, w.server.Client().Transport), func() time.Time { return time.Unix(w.now.Load(), 0) }, rootsOf(t))
	return w
}

// healthy is a sender's host: it serves the sender's certificate everywhere.
func healthy(t *testing.T) http.HandlerFunc {
	t.Helper()
	text := inPEM(leafOf(t))
	return func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, text) }
}

func failing(writer http.ResponseWriter, _ *http.Request) {
	writer.WriteHeader(http.StatusInternalServerError)
}

func (w *world) answers(handler http.HandlerFunc) { w.answer.Store(&handler) }

func (w *world) pass(d time.Duration) { w.now.Add(int64(d / time.Second)) }

func (w *world) named(path string) verify.NamedCertificate {
	return verify.NamedCertificate{URL: w.server.URL + path}
}

// get expects a certificate, or an error that says something.
func (w *world) get(t *testing.T, path, says string) {
	t.Helper()
	got, err := w.Get(t.Context(), endpoint, w.named(path))
	switch {
	case says == "" && (err != nil || string(got) != inPEM(leafOf(t))):
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

// settle waits until nothing is refreshed any more.
func (w *world) settle() { w.background.Wait() }

func TestCertificateIsFetchedOnceAnHour(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.get(t, "/a", "")
		w.get(t, "/b", "")
	}
	w.expectAsked(t, 2)
	w.pass(freshFor - time.Second)
	w.get(t, "/a", "")
	w.settle()
	w.expectAsked(t, 2)
	w.pass(time.Second)
	w.get(t, "/a", "")
	w.settle()
	w.get(t, "/a", "")
	w.settle()
	w.expectAsked(t, 3)
}

// What is known is served, whatever becomes of the attempt to fetch it anew, until a
// day has gone.
func TestOldCertificateIsServedWhileItIsFetchedAnew(t *testing.T) {
	w := newWorld(t)
	w.get(t, "/a", "")
	w.pass(freshFor)
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	w.answers(func(writer http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		writer.WriteHeader(http.StatusInternalServerError)
	})
	for range 5 {
		w.get(t, "/a", "")
	}
	<-arrived
	w.get(t, "/a", "")
	close(release)
	w.settle()
	w.expectAsked(t, 2)
	// The failure is not tried again at once, and doesn't count against what is known.
	w.get(t, "/a", "")
	w.settle()
	w.expectAsked(t, 2)
	w.pass(failedFor + time.Second)
	w.get(t, "/a", "")
	w.settle()
	w.expectAsked(t, 3)
	w.pass(staleFor - freshFor - failedFor)
	w.get(t, "/a", "500")
	w.expectAsked(t, 4)
	w.answers(healthy(t))
	w.pass(failedFor + time.Second)
	w.get(t, "/a", "")
	w.expectAsked(t, 5)
}

// A certificate that has run out is no use to anybody: the sender may have a new one.
func TestCertificateIsNotServedWhenItHasRunOut(t *testing.T) {
	w := newWorld(t)
	w.now.Store(leafOf(t).NotAfter.Add(-time.Minute).Unix())
	w.get(t, "/a", "")
	w.pass(time.Minute + time.Second)
	next := inPEM(nextLeafOf(t))
	w.answers(func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, next) })
	if got, err := w.Get(t.Context(), endpoint, w.named("/a")); err != nil || string(got) != next {
		t.Errorf("got %q, %v", got, err)
	}
	w.expectAsked(t, 2)
}

// That we have too much to do leaves what is known alone, too.
func TestOldCertificateIsServedWhileAllSlotsAreTaken(t *testing.T) {
	w := newWorld(t)
	w.get(t, "/a", "")
	w.pass(freshFor)
	for range maxRefreshes {
		w.refreshes.take("")
	}
	w.get(t, "/a", "")
	w.expectAsked(t, 1)
	for range maxRefreshes {
		w.refreshes.give("")
	}
	w.get(t, "/a", "")
	w.settle()
	w.expectAsked(t, 2)
}

func TestFailureIsNotTriedAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"an error":   {failing, "was 500"},
		"a redirect": {func(writer http.ResponseWriter, r *http.Request) { http.Redirect(writer, r, "/b", http.StatusFound) }, "was 302"},
		"a page":     {func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, "<html>") }, "not a certificate"},
		"a certificate in a page": {func(writer http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(writer, "<value>\n"+inPEM(leafOf(t))+"</value>")
		}, "not a certificate"},
		"a key": {func(writer http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(writer, strings.ReplaceAll(inPEM(leafOf(t)), "CERTIFICATE", "PUBLIC KEY"))
		}, "not a certificate"},
		"too large": {func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write(make([]byte, egress.MaxBody+1)) }, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(name, " ", "-")
			before := w.asked.Load()
			w.answers(test.answer)
			w.get(t, path, test.says)
			w.answers(healthy(t))
			w.get(t, path, test.says)
			w.pass(failedFor - time.Second)
			w.get(t, path, test.says)
			w.expectAsked(t, before+1)
			w.pass(2 * time.Second)
			w.get(t, path, "")
			w.expectAsked(t, before+2)
		})
	}
}

func TestManyRequestsShareOneFetch(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	ready := healthy(t)
	w.answers(func(writer http.ResponseWriter, r *http.Request) {
		<-release
		ready(writer, r)
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
	ready := healthy(t)
	w.answers(func(writer http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		ready(writer, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := w.Get(ctx, endpoint, w.named("/a"))
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

// Who makes up URLs for one endpoint takes two slots of it, and none of another's.
func TestMadeUpURLsTakeSlotsOfTheirEndpointOnly(t *testing.T) {
	w := newWorld(t)
	arrived, release := make(chan struct{}, maxFetches), make(chan struct{})
	ready := healthy(t)
	w.answers(func(writer http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		if strings.HasPrefix(r.URL.Path, "/made-up") {
			<-release
		}
		ready(writer, r)
	})
	var flood sync.WaitGroup
	for i := range maxFetchesEach {
		flood.Go(func() { w.get(t, fmt.Sprint("/made-up-", i), "") })
	}
	for range maxFetchesEach {
		<-arrived
	}
	if _, err := w.Get(t.Context(), endpoint, w.named("/one-more")); !errors.Is(err, egress.ErrBusy) {
		t.Errorf("one more of the endpoint: %v, want ErrBusy", err)
	}
	if got, err := w.Get(t.Context(), "shop/payments", w.named("/real")); err != nil || string(got) != inPEM(leafOf(t)) {
		t.Errorf("another endpoint gets %q, %v", got, err)
	}
	close(release)
	flood.Wait()
	w.get(t, "/one-more", "") // that we were busy is not remembered
}

func TestFetchesOfAllEndpointsAreBounded(t *testing.T) {
	s := newSlots(maxFetches, maxFetchesEach)
	for i := range maxFetches / maxFetchesEach {
		for range maxFetchesEach {
			if !s.take(fmt.Sprint(i)) {
				t.Fatal("there is no room")
			}
		}
		if s.take(fmt.Sprint(i)) {
			t.Fatal("one endpoint takes more than it may")
		}
	}
	if s.take("another") {
		t.Error("all endpoints together take more than they may")
	}
	for i := range maxFetches / maxFetchesEach {
		for range maxFetchesEach {
			s.give(fmt.Sprint(i))
		}
	}
	if len(s.taken) != 0 || s.sum != 0 {
		t.Errorf("%d slots of %d are still taken", s.sum, len(s.taken))
	}
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
	if len(w.kept.Keys()) != maxKept || len(w.failed.Keys()) != maxFailed {
		t.Errorf("%d certificates and %d failures are kept, want %d and %d", len(w.kept.Keys()), len(w.failed.Keys()), maxKept, maxFailed)
	}
}

// busy is a Getter that has too much to do, once.
type busy struct {
	asked int
	text  string
}

func (b *busy) Get(context.Context, string) ([]byte, error) {
	if b.asked++; b.asked == 1 {
		return nil, egress.ErrBusy
	}
	return []byte(b.text), nil
}

func (b *busy) GetProven(context.Context, string) ([]byte, error) { return nil, egress.ErrBusy }

func TestThatWeAreBusyIsNotRemembered(t *testing.T) {
	c := NewCache(&busy{text: inPEM(leafOf(t))}, func() time.Time { return start }, rootsOf(t))
	named := verify.NamedCertificate{URL: "https://example.com/"}
	if _, err := c.Get(t.Context(), endpoint, named); !errors.Is(err, egress.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if got, err := c.Get(t.Context(), endpoint, named); err != nil || string(got) != inPEM(leafOf(t)) {
		t.Errorf("got %q, %v", got, err)
	}
}

// rootsOf holds the root of leafOf.
func rootsOf(t *testing.T) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(tree(t).root.certificate)
	return roots
}
