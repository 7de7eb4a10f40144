package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

func TestAnEventIsDeliveredFromMemory(t *testing.T) {
	w := newWorld(t)
	bodies := make(chan string, 1)
	endpoint := w.target("api", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, body, r.Header.Get("Sallyport-Attempt"))
	})
	d := w.dispatcher() // no claim loop: nothing comes from the log
	w.offer(d, endpoint, "1")
	r := w.want(audit.Delivered, 1)
	if got, want := await(t, bodies, "the request"), "POST /in body of 1 1"; got != want {
		t.Errorf("the target got %q, want %q", got, want)
	}
	if r.Target != "team/api:80" || r.StatusCode != 200 || r.EventID != "1" || r.Endpoint != endpoint || len(r.BodySHA256) != 64 {
		t.Errorf("record %+v", r)
	}
	w.wantStored(0, 0)
}

func TestAFailedAttemptIsRepeated(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("api", answering(500, 302, 429, 200))
	w.offer(w.run(), endpoint, "1")
	for i, status := range []int{500, 302, 429} {
		if r := w.want(audit.RetryScheduled, i+1); r.StatusCode != status {
			t.Errorf("attempt %d was answered %d, want %d", i+1, r.StatusCode, status)
		}
	}
	w.want(audit.Delivered, 4)
	w.wantStored(0, 0)
}

// What was signed for one target is not for another: a redirect is an answer like any
// that is no success, and nothing is sent to where it leads.
func TestRedirectsLeadNowhere(t *testing.T) {
	w := newWorld(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	statuses := []int{301, 303, 307, 308}
	asked := 0
	endpoint := w.target("api", func(rw http.ResponseWriter, r *http.Request) {
		if asked++; asked <= len(statuses) {
			http.Redirect(rw, r, elsewhere.URL, statuses[asked-1])
		}
	})
	w.offer(w.run(), endpoint, "1")
	for i, status := range statuses {
		if r := w.want(audit.RetryScheduled, i+1); r.StatusCode != status {
			t.Errorf("attempt %d was answered %d, want %d", i+1, r.StatusCode, status)
		}
	}
	w.want(audit.Delivered, 5)
}

// Of what a target says of a failure only the status is kept, whatever else it is, and
// however long.
func TestWhatATargetSaysIsNotKept(t *testing.T) {
	w := newWorld(t)
	page := "<html>\n<h1>405\r\nNot Allowed</h1>\n"
	cut := make(chan struct{})
	endpoint := w.target("api", func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusMethodNotAllowed)
		for written := 0; written < 200<<20; {
			n, err := io.WriteString(rw, page+strings.Repeat("x", 1<<20))
			if written += n; err != nil {
				close(cut)
				return
			}
		}
		t.Error("200 MiB of an answer were read")
	})
	w.setRoute(endpoint, func(r *route.Route) { r.Delivery.Retry.MaxAttempts = 1 })
	w.offer(w.run(), endpoint, "1")
	if r := w.want(audit.DeadLettered, 1); r.StatusCode != 405 || r.ErrorMessage != "the target answered 405 Method Not Allowed" {
		t.Errorf("the record says %d %q", r.StatusCode, r.ErrorMessage)
	}
	await(t, cut, "the end of the connection")
}

func TestGoneIsADeadLetterAtOnce(t *testing.T) {
	w := newWorld(t)
	w.offer(w.run(), w.target("api", answering(410)), "1")
	w.want(audit.DeadLettered, 1)
	w.wantStored(0, 1)
}

func TestAttemptsRunOut(t *testing.T) {
	w := newWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // connections to it are refused
	w.offer(w.run(), w.targetAt("api", listener.Addr().String()), "1")
	for i := range 4 {
		w.want(audit.RetryScheduled, i+1)
	}
	w.want(audit.DeadLettered, 5)
	w.wantStored(0, 1)
}

// buggy are routes whose signer panics.
type buggy struct{ *world }

func (b buggy) Signer(string) Signer { return b }

func (buggy) CanResign(time.Time) error { return nil }

func (buggy) Resign(*verify.Request, string, time.Time) error { panic("a bug") }

// TestPanicIsOneDeliverysFailure: an event that meets a mistake of ours is a dead
// letter in the end, and those of other endpoints are delivered.
func TestPanicIsOneDeliverysFailure(t *testing.T) {
	w := newWorld(t)
	poisoned, other := w.target("poisoned", answering(200)), w.target("api", answering(200))
	w.setRoute(poisoned, func(r *route.Route) { r.Target.FreshSignature, r.Delivery.Retry.MaxAttempts = true, 1 })
	d := w.dispatcher()
	d.core.Routes = buggy{w}
	w.offer(d, poisoned, "1")
	if r := w.want(audit.DeadLettered, 1); !strings.Contains(r.ErrorMessage, "panicked") {
		t.Errorf("the audit record is %+v", r)
	}
	w.offer(d, other, "2")
	w.want(audit.Delivered, 1)
	w.wantStored(0, 1)
}

func TestADuplicateRevivesADeadLetter(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("api", answering(410, 200))
	d := w.run()
	event, lease := w.accept(endpoint, "1")
	d.Offer(event, lease)
	w.want(audit.DeadLettered, 1)
	outcome, _, err := w.store.Accept(t.Context(), event, store.AcceptOptions{Window: time.Hour, Lease: Lease})
	if err != nil || outcome != store.Revived {
		t.Fatalf("Accept = %s, %v, want it revived", outcome, err)
	}
	w.want(audit.Delivered, 1)
	w.wantStored(0, 0)
}

func TestOldEventsAreDeadLetters(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("api", answering(500))
	w.setRoute(endpoint, func(r *route.Route) { r.Delivery.Retry.MaxAge = route.Duration(time.Hour) })
	event, lease := w.accept(endpoint, "1")
	old := *event
	old.ReceivedAt = event.ReceivedAt.Add(-2 * time.Hour)
	w.dispatcher().Offer(&old, lease)
	w.want(audit.DeadLettered, 1)
	w.wantStored(0, 1)
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	for name, test := range map[string]struct{ longest, want time.Duration }{
		"as asked": {10 * time.Hour, time.Hour}, "bounded": {10 * time.Minute, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			endpoint := w.target("api", func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Retry-After", "3600")
				rw.WriteHeader(http.StatusServiceUnavailable)
			})
			w.setRoute(endpoint, func(r *route.Route) { r.Delivery.Retry.MaxBackoff = route.Duration(test.longest) })
			w.offer(w.dispatcher(), endpoint, "1")
			w.want(audit.RetryScheduled, 1)
			w.advance(test.want - 30*time.Second)
			w.due(0)
			w.advance(31 * time.Second)
			w.due(1)
		})
	}
}

func TestAHangingTargetDelaysNobody(t *testing.T) {
	w := newWorld(t)
	hang := newHanging()
	stuck := w.target("stuck", hang.ServeHTTP)
	healthy := w.target("healthy", answering(200))
	d := w.run()
	for i := range 20 {
		w.offer(d, stuck, fmt.Sprint("stuck-", i))
	}
	for range 4 { // maxInFlight
		await(t, hang.arrived, "an attempt at the target that hangs")
	}
	for i := range 20 {
		w.offer(d, healthy, fmt.Sprint(i))
	}
	for range 20 {
		if r := w.want(audit.Delivered, 1); r.Endpoint != healthy {
			t.Fatalf("%s was delivered while its target hung", r.EventID)
		}
	}
	select {
	case id := <-hang.arrived:
		t.Errorf("%s is a fifth attempt at a time, want at most 4", id)
	default:
	}
	close(hang.answer)
	for range 20 {
		w.want(audit.Delivered, 1)
	}
	w.wantStored(0, 0)
}

// The first receiver freezes during an attempt. The second one delivers, and
// what the first one writes when it wakes up changes nothing.
func TestAnotherReceiverGoesOnAfterACrash(t *testing.T) {
	w := newWorld(t)
	frozen := newHanging()
	endpoint := w.target("api", frozen.ServeHTTP)
	first := w.dispatcher()
	w.offer(first, endpoint, "1")
	await(t, frozen.arrived, "the first attempt")

	w.connect = Connections{} // the second one's; the first one keeps its own
	w.target("api", answering(200))
	w.advance(time.Hour) // the lease ends
	w.run()
	w.want(audit.Delivered, 1)
	close(frozen.answer)
	first.core.targets.workers.Wait()
	if n := testutil.ToFloat64(first.core.metrics.fenced); n != 1 {
		t.Errorf("%v writes of the late owner were fenced, want 1", n)
	}
	w.wantStored(0, 0)
}

func TestShutdownHandsBackAtOnce(t *testing.T) {
	w := newWorld(t)
	hang := newHanging()
	endpoint := w.target("api", hang.ServeHTTP)
	w.setRoute(endpoint, func(r *route.Route) { r.Delivery.MaxInFlight = 1 })
	d := w.dispatcher()
	for i := range 10 {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	await(t, hang.arrived, "the first attempt")
	ctx, cancel := context.WithTimeout(t.Context(), releaseTime) // no time for the attempt
	defer cancel()
	if err := d.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, delivery := range w.due(10) {
		if delivery.Failure.Attempts != 0 {
			t.Errorf("the shutdown spent an attempt of %s", delivery.Event.ID)
		}
	}
	d.Offer(w.accept(endpoint, "late"))
	if jobs, _ := d.core.targets.room(); jobs != 0 {
		t.Errorf("there is room for %d jobs after the shutdown", jobs)
	}
}

func TestShutdownLetsAttemptsEnd(t *testing.T) {
	w := newWorld(t)
	hang := newHanging()
	endpoint := w.target("api", hang.ServeHTTP)
	d := w.dispatcher()
	w.offer(d, endpoint, "1")
	await(t, hang.arrived, "the attempt")
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patienceOfTests)
		defer cancel()
		ended <- d.Shutdown(ctx)
	}()
	close(hang.answer)
	if err := await(t, ended, "the shutdown"); err != nil {
		t.Fatal(err)
	}
	w.want(audit.Delivered, 1)
	w.wantStored(0, 0)
}

func TestWhatCannotBeAttemptedSpendsNothing(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("api", answering(200))
	w.setRoute(endpoint, func(r *route.Route) { r.Target.Unresolved = "the Service does not exist" })
	d := w.run()
	w.offer(d, endpoint, "1")
	w.offer(d, "team/unknown", "2")
	w.setRoute(endpoint, func(r *route.Route) { r.Target.Unresolved = "" })
	if r := w.want(audit.Delivered, 1); r.EventID != "1" {
		t.Errorf("%s was delivered, want 1", r.EventID)
	}
	w.advance(orphanAge + time.Hour)
	if r := w.want(audit.DeadLettered, 0); r.EventID != "2" || r.ErrorMessage == "" {
		t.Errorf("record %+v, want the orphan with a reason", r)
	}
	w.wantStored(0, 1)
}

func TestTheClaimLoopOutlivesErrors(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("api", answering(200))
	log := &failingStore{Store: w.store, failures: make(chan struct{}, 2)}
	d := w.dispatcher()
	d.core.Store = log
	for range 2 {
		log.failures <- struct{}{}
	}
	_, lease := w.accept(endpoint, "1")
	if err := w.store.Release(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { d.Run(ctx); close(ended) }()
	w.want(audit.Delivered, 1)
	if n := testutil.ToFloat64(d.core.metrics.redisErrors); n != 2 {
		t.Errorf("%v errors were counted, want 2", n)
	}
	cancel()
	await(t, ended, "the end of Run")
}

// failingStore fails as many claims as there are in failures.
type failingStore struct {
	Store
	failures chan struct{}
}

func (l *failingStore) Claim(ctx context.Context, o store.ClaimOptions) (store.Claimed, error) {
	select {
	case <-l.failures:
		return store.Claimed{}, errors.New("redis is away")
	default:
		return l.Store.Claim(ctx, o)
	}
}
