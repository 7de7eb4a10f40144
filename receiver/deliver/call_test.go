package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// call has d hand an event to its target, as the handler does for a sender that waits.
func (w *world) call(d *Dispatcher, endpoint, id string) error {
	w.t.Helper()
	_, err := d.Call(w.t.Context(), &store.Event{Meta: event.Meta{Endpoint: endpoint, ID: id, ReceivedAt: w.now()}, Method: http.MethodPost})
	return err
}

// wantRefused wants a call to end at once, without the target being asked.
func (w *world) wantRefused(d *Dispatcher, endpoint string, target *recovering) {
	w.t.Helper()
	before := target.asked.Load()
	if err := w.call(d, endpoint, "refused"); !errors.Is(err, ErrNotNow) {
		w.t.Fatalf("got %v, want ErrNotNow", err)
	}
	if asked := target.asked.Load(); asked != before {
		w.t.Fatalf("the target was asked %d times", asked-before)
	}
}

func TestCallsOpenTheCircuitAndCloseIt(t *testing.T) {
	hangs := newHanging()
	breaksOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
	}
	for name, test := range map[string]struct {
		broken http.HandlerFunc
		calls  int
	}{
		"answers 500": {answering(500), 10}, "cuts off": {cutsOff, 5}, "hangs": {hangs.ServeHTTP, 5}, "breaks off": {breaksOff, 5},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stopClock()
			target := &recovering{broken: test.broken}
			endpoint := w.target("api", target.ServeHTTP)
			w.setRoute(endpoint, func(r *route.Route) { r.Delivery.Timeout = route.Duration(100 * time.Millisecond) })
			d := w.dispatcher()
			fail := func(id string) {
				t.Helper()
				if err := w.call(d, endpoint, id); err == nil || errors.Is(err, ErrNotNow) {
					t.Fatalf("a call of a target that is broken: %v", err)
				}
			}
			for i := range test.calls {
				fail(fmt.Sprint(i))
			}
			w.wantRefused(d, endpoint, target)
			if got := testutil.ToFloat64(d.core.metrics.circuitOpen.WithLabelValues(endpoint, "")); got != 1 {
				t.Errorf("the metric of the circuit is %v", got)
			}
			w.advance(minProbe)
			fail("probe") // and is the only one
			w.wantRefused(d, endpoint, target)
			target.mended.Store(true)
			w.wantRefused(d, endpoint, target)
			w.advance(2 * minProbe)
			for i := range 20 {
				if err := w.call(d, endpoint, fmt.Sprint("mended-", i)); err != nil {
					t.Fatalf("a call of a target that works again: %v", err)
				}
			}
		})
	}
}

// While one call is the probe, others are refused; what it says counts.
func TestOneCallIsTheProbe(t *testing.T) {
	w := newWorld(t)
	w.stopClock()
	held := newHanging()
	target := &recovering{broken: answering(503)}
	endpoint := w.target("api", func(rw http.ResponseWriter, r *http.Request) {
		if target.ServeHTTP(rw, r); target.mended.Load() {
			held.ServeHTTP(rw, r)
		}
	})
	d := w.dispatcher()
	for i := range tripPoints {
		_ = w.call(d, endpoint, fmt.Sprint(i))
	}
	target.mended.Store(true)
	w.advance(minProbe)
	probe := make(chan error, 1)
	go func() { probe <- w.call(d, endpoint, "probe") }()
	await(t, held.arrived, "the probe")
	w.wantRefused(d, endpoint, target)
	close(held.answer)
	if err := await(t, probe, "the answer to the probe"); err != nil {
		t.Fatal(err)
	}
	if err := w.call(d, endpoint, "after"); err != nil {
		t.Errorf("after a probe that succeeded: %v", err)
	}
}

// A call that was too much, or that says nothing about the target, is no probe and
// opens nothing.
func TestCallsThatSayNothingAboutTheTarget(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", maxPassedOn+1)
	for name, broken := range map[string]http.HandlerFunc{
		"answers-400": answering(400),
		"is-verbose":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(long)) },
	} {
		target := &recovering{broken: broken}
		endpoint := w.target(name, target.ServeHTTP)
		d := w.dispatcher()
		for i := range 2 * tripPoints {
			if err := w.call(d, endpoint, fmt.Sprint(i)); err == nil || errors.Is(err, ErrNotNow) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// A target has one circuit, whoever waits for it.
func TestCallsAndDeliveriesShareACircuit(t *testing.T) {
	w := newWorld(t)
	w.stopClock()
	target := &recovering{broken: answering(500)}
	endpoint := w.target("api", target.ServeHTTP)
	d := w.run()
	for i := range tripPoints {
		_ = w.call(d, endpoint, fmt.Sprint(i))
	}
	w.offer(d, endpoint, "stored") // is held, and then the next probe
	target.mended.Store(true)
	w.advance(minProbe)
	w.want(audit.Delivered, 1)
	if err := w.call(d, endpoint, "after"); err != nil {
		t.Errorf("after a delivery that succeeded: %v", err)
	}
}

// forgetful is a log that notes no delivery, until the lease is over.
type forgetful struct {
	*store.Store
	w *world
}

func (f forgetful) Delivered(context.Context, store.Lease) error {
	f.w.advance(2 * Lease)
	return store.ErrUnavailable
}

// The target took it, and that could not be noted: the audit says both.
func TestADeliveryThatCannotBeNotedIsAudited(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("api", answering(202))
	d, err := New(Options{
		Store: forgetful{w.store, w}, Routes: w, ClusterDomain: "cluster.local", ConnectTo: w.connect, Audit: w,
		Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.offer(d, endpoint, "1")
	r := w.want(audit.RetryScheduled, 1)
	if r.StatusCode != http.StatusAccepted || r.ErrorMessage != errNotNoted.Error() {
		t.Errorf("the record is %+v", r)
	}
	if err := d.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantStored(1, 0)
	w.run() // another receiver
	if again := w.want(audit.Delivered, 1); again.BodySHA256 != r.BodySHA256 || len(r.BodySHA256) != 64 {
		t.Errorf("the digests are %q and %q", r.BodySHA256, again.BodySHA256)
	}
}
