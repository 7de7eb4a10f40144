package intake

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// syncGate is a gate whose senders get the answers of a real target, with marks
// in a real Redis.
type syncGate struct {
	*gate
	store *store.Store
	redis *redistest.Server
}

func newSyncGate(t *testing.T, target http.Handler, change func(*route.Route)) *syncGate {
	t.Helper()
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	return newSyncGateTo(t, server.Listener.Addr().String(), change)
}

func newSyncGateTo(t *testing.T, address string, change func(*route.Route)) *syncGate {
	t.Helper()
	g := &syncGate{redis: redistest.Start(t)}
	g.gate = newGate(t, func(r *route.Route) {
		r.Delivery.Sync, r.Delivery.Timeout = true, route.Duration(20*time.Second)
		if change != nil {
			change(r)
		}
	})
	var err error
	if g.store, err = store.Open(t.Context(), store.Options{URL: g.redis.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.store.Close() })
	d, err := deliver.New(deliver.Options{
		Store: g.store, Routes: g.live, ClusterDomain: "cluster.local", Audit: g.journal,
		ConnectTo: deliver.Connections{"billing/billing-api:8080": address},
		Registry:  g.registry, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Shutdown(context.Background()) })
	g.handler.Store, g.Deliverer = g.store, d
	return g
}

// interact sends an authentic event and returns the answer as it came.
func (g *syncGate) interact(id string) (*http.Response, string) {
	g.t.Helper()
	return g.raw(http.MethodPost, testPath, signed(id, []byte("{}")), "{}")
}

func (g *syncGate) want(id string, status int, outcome audit.Status) (*http.Response, audit.Record) {
	g.t.Helper()
	response, body := g.interact(id)
	record := g.record()
	if response.StatusCode != status || record.Status != outcome {
		g.t.Fatalf("%s is answered %d %q and audited as %s (%s), want %d and %s",
			id, response.StatusCode, body, record.Status, record.ErrorMessage, status, outcome)
	}
	return response, record
}

func TestTheTargetsAnswerIsTheAnswer(t *testing.T) {
	g := newSyncGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Add("Set-Cookie", "a=1")
		h.Add("Set-Cookie", "b=2")
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "1")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Sallyport-Event-Id", "made up")
		h.Set("X-Request-Id", "of the target")
		w.WriteHeader(http.StatusAccepted)
		_, _ = fmt.Fprintf(w, `{"text":"%s of %s, attempt %s"}`, body, r.Header.Get("Sallyport-Event-Id"), r.Header.Get("Sallyport-Attempt"))
	}), nil)
	response, body := g.interact("evt-1")
	if want := `{"text":"{} of evt-1, attempt 1"}`; response.StatusCode != http.StatusAccepted || body != want {
		t.Fatalf("the answer is %d %q, want 202 %q", response.StatusCode, body, want)
	}
	h := response.Header
	if h.Get("Content-Type") != "application/json; charset=utf-8" || len(h["Set-Cookie"]) != 2 {
		t.Errorf("headers of the target are missing: %v", h)
	}
	if h.Get("X-Hop")+h.Get("Keep-Alive")+h.Get("Sallyport-Event-Id") != "" || h.Get("X-Request-Id") == "of the target" {
		t.Errorf("headers that are not for the sender: %v", h)
	}
	record := g.record()
	if record.Status != audit.Delivered || record.Attempt != 1 || record.Target != "billing/billing-api:8080" || record.StatusCode != 202 || !record.SignatureVerified || !record.Relayed {
		t.Errorf("the record is %+v", record)
	}

	// A duplicate is none of the target's business, and its answer is not kept.
	if got := g.post("evt-1", "{}"); got.StatusCode != http.StatusOK || got.Status != "duplicate" {
		t.Errorf("a duplicate is answered %d %q", got.StatusCode, got.Status)
	}
	if record := g.record(); record.Status != audit.Duplicate || record.Attempt != 0 {
		t.Errorf("the record of the duplicate is %+v", record)
	}
}

func TestAnEmptyAnswerIsPassedOn(t *testing.T) {
	g := newSyncGate(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), nil)
	response, body := g.interact("evt-1")
	if response.StatusCode != http.StatusNoContent || body != "" || response.Header.Get("Content-Type") != "" {
		t.Errorf("the answer is %d %q with %v, want 204 and nothing else", response.StatusCode, body, response.Header)
	}
}

// Whatever the target says but 2xx, the sender's repetition counts.
func TestWhatFailsIsForgotten(t *testing.T) {
	long := strings.Repeat("x", 1<<20+1)
	for name, c := range map[string]struct {
		fails  http.HandlerFunc
		status int
		target int // status in the record
		says   string
	}{
		"an error":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 502, 500, "answered 500"},
		"gone":           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, 502, 410, "answered 410"},
		"a redirect":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, 502, 307, "answered 307"},
		"too long":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) }, 502, 200, "longer than"},
		"no answer":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, 502, "did not answer"},
		"half an answer": {half, 502, 200, "did not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			failed := false
			g := newSyncGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !failed {
					failed = true
					c.fails(w, r)
				}
			}), func(r *route.Route) { r.Deduplication.RememberContent = true })
			_, record := g.want("evt-1", c.status, audit.Unavailable)
			if record.Attempt != 1 || record.StatusCode != c.target || !strings.Contains(record.ErrorMessage, c.says) {
				t.Errorf("the record is %+v, want status %d and %q", record, c.target, c.says)
			}
			g.want("evt-2", 200, audit.Delivered) // with the same content: that is forgotten, too
			g.want("evt-1", 200, audit.Duplicate) // whose content has been delivered by now
		})
	}
}

// half answers less than it announces.
func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, "{")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestATargetThatIsAwayIs502(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close() // connections to it are refused
	g := newSyncGateTo(t, address, nil)
	g.want("evt-1", http.StatusBadGateway, audit.Unavailable)

	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	g.want("evt-1", http.StatusOK, audit.Delivered)
}

// held is a target that answers when it is told to.
type heldTarget struct{ arrived, answer chan struct{} }

func newHeldTarget() heldTarget { return heldTarget{make(chan struct{}, 100), make(chan struct{})} }

func (h heldTarget) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.arrived <- struct{}{}
	_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the client went away
	select {
	case <-h.answer:
	case <-r.Context().Done():
	}
}

func (h heldTarget) await(t *testing.T) {
	t.Helper()
	select {
	case <-h.arrived:
	case <-time.After(30 * time.Second):
		t.Fatal("the target was not asked")
	}
}

func TestATargetThatIsTooSlowIs504(t *testing.T) {
	g := newSyncGate(t, newHeldTarget(), func(r *route.Route) { r.Delivery.Timeout = route.Duration(100 * time.Millisecond) })
	for range 2 { // the second is no duplicate
		_, record := g.want("evt-1", http.StatusGatewayTimeout, audit.Unavailable)
		if record.Attempt != 1 || record.StatusCode != http.StatusGatewayTimeout || record.Target == "" {
			t.Errorf("the record is %+v", record)
		}
	}
}

// A copy that comes while the first one is with the target must not be told that
// all is well: nobody knows yet.
func TestACopyInFlightIsPutOff(t *testing.T) {
	target := newHeldTarget()
	g := newSyncGate(t, target, func(r *route.Route) { r.Delivery.MaxInFlight = 10 })
	first := make(chan int, 1)
	go func() {
		response, _ := g.interact("evt-1")
		first <- response.StatusCode
	}()
	target.await(t)
	response, _ := g.want("evt-1", http.StatusServiceUnavailable, audit.Unavailable)
	if response.Header.Get("Retry-After") == "" {
		t.Error("it has no Retry-After")
	}
	close(target.answer)
	if status := <-first; status != http.StatusOK {
		t.Fatalf("the first copy is answered %d, want 200", status)
	}
	g.record()
	g.want("evt-1", http.StatusOK, audit.Duplicate)
}

func TestASenderThatHangsUpIsDeliveredAllTheSame(t *testing.T) {
	target := newHeldTarget()
	g := newSyncGate(t, target, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.server.URL+testPath, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = signed("evt-1", []byte("{}"))
	done := make(chan error, 1)
	go func() {
		_, err := g.server.Client().Do(request) // there is no response
		done <- err
	}()
	target.await(t)
	hangUp()
	if err := <-done; err == nil {
		t.Fatal("the sender got an answer")
	}
	close(target.answer)
	if record := g.record(); record.Status != audit.Delivered {
		t.Fatalf("it was audited as %s: %s", record.Status, record.ErrorMessage)
	}
	g.want("evt-1", http.StatusOK, audit.Duplicate)
}

func TestSyncWaitsForNobody(t *testing.T) {
	target := newHeldTarget()
	g := newSyncGate(t, target, nil) // one at a time
	first := make(chan int, 1)
	go func() {
		response, _ := g.interact("evt-1")
		first <- response.StatusCode
	}()
	target.await(t)
	response, record := g.want("evt-2", http.StatusServiceUnavailable, audit.Unavailable)
	if response.Header.Get("Retry-After") == "" || record.Attempt != 0 {
		t.Errorf("Retry-After is %q, the record %+v", response.Header.Get("Retry-After"), record)
	}
	close(target.answer)
	<-first
	g.record()
	g.want("evt-2", http.StatusOK, audit.Delivered)
}

// A target that fails is not asked for a while: its senders are told at once to come
// again, and what they sent is forgotten.
func TestSyncSparesATargetThatFails(t *testing.T) {
	var asked, mended atomic.Int64
	g := newSyncGate(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1); mended.Load() == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}), nil)
	for i := range 10 {
		g.want(fmt.Sprint("evt-", i), http.StatusBadGateway, audit.Unavailable)
	}
	mended.Store(1)
	response, record := g.want("evt-late", http.StatusServiceUnavailable, audit.Unavailable)
	if response.Header.Get("Retry-After") == "" || record.Attempt != 0 || record.Relayed || !strings.Contains(record.ErrorMessage, "circuit") {
		t.Errorf("Retry-After is %q, the record %+v", response.Header.Get("Retry-After"), record)
	}
	if n := asked.Load(); n != 10 {
		t.Errorf("the target was asked %d times, want 10", n)
	}
	redistest.Await(t, 30*time.Second, "the probe is let through", func() error {
		response, _ := g.interact("evt-late") // a copy, which nothing is known of
		if g.record(); response.StatusCode != http.StatusOK {
			return fmt.Errorf("it is answered %d", response.StatusCode)
		}
		return nil
	})
	g.want("evt-last", http.StatusOK, audit.Delivered)
}

func TestSyncWhileNothingCanBeDelivered(t *testing.T) {
	for name, change := range map[string]func(*route.Route){
		"paused":     func(r *route.Route) { r.Delivery.Paused = true },
		"no Service": func(r *route.Route) { r.Target.Unresolved = "there is no Service billing-api" },
	} {
		t.Run(name, func(t *testing.T) {
			g := newSyncGate(t, http.NotFoundHandler(), change)
			for range 2 {
				g.want("evt-1", http.StatusServiceUnavailable, audit.Unavailable)
			}
			if found, _, err := g.store.Begin(t.Context(), "billing/stripe", "evt-1", store.BeginOptions{Window: time.Hour, Lease: time.Second}); err != nil || found != store.Begun {
				t.Errorf("afterwards, %s, %v is known of the event", found, err)
			}
		})
	}
}

// The target has the event, and nobody could note it: to say 2xx would promise
// that a copy is recognised.
func TestWhatCannotBeNotedIsSentAgain(t *testing.T) {
	calls := 0
	var g *syncGate
	g = newSyncGate(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if calls++; calls == 1 {
			g.redis.Kill()
		}
	}), nil)
	_, record := g.want("evt-1", http.StatusServiceUnavailable, audit.Unavailable)
	if !strings.Contains(record.ErrorMessage, "was delivered") || record.StatusCode != http.StatusOK {
		t.Errorf("the record is %+v", record)
	}
	g.redis.Restart() // which keeps nothing
	for deadline := time.Now().Add(30 * time.Second); g.store.Ping(t.Context()) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("redis is not back")
		}
	}
	g.want("evt-1", http.StatusOK, audit.Delivered)
	if calls != 2 {
		t.Errorf("the target was asked %d times, want twice", calls)
	}
}

func TestWhatWasStoredBeforeSyncIsNoBusinessOfTheTarget(t *testing.T) {
	g := newSyncGate(t, http.NotFoundHandler(), nil)
	event := &store.Event{Meta: event.Meta{Endpoint: "billing/stripe", ID: "evt-1", ReceivedAt: time.Now()}}
	_, leases, err := g.store.Accept(t.Context(), event, store.AcceptOptions{Window: time.Hour, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	g.want("evt-1", http.StatusOK, audit.Duplicate)
	if err := g.store.DeadLetter(t.Context(), leases[0], store.Failure{Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	g.want("evt-1", http.StatusOK, audit.Duplicate) // and starts it over
	if stats, err := g.store.Stats(t.Context()); err != nil || stats.Pending != 1 || stats.Dead != 0 {
		t.Errorf("stored are %+v, %v, want it to be pending again", stats, err)
	}
}

func TestForgedEventsDoNotReachTheTarget(t *testing.T) {
	g := newSyncGate(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the target was asked") }), nil)
	header := signed("evt-1", []byte("{}"))
	header.Set("X-Signature", strings.Repeat("0", 64))
	if response, _ := g.raw(http.MethodPost, testPath, header, "{}"); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("it is answered %d, want 401", response.StatusCode)
	}
}
