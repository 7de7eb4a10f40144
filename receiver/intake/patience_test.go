package intake

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

func TestAnEventIsTriedForMostOfTheTimeForWhichItsSenderWaits(t *testing.T) {
	for ackTime, want := range map[time.Duration]time.Duration{
		0: 4 * time.Second, 3 * time.Second: 2400 * time.Millisecond, 10 * time.Second: 8 * time.Second, time.Minute: 48 * time.Second,
	} {
		g := newGate(t, func(r *route.Route) { r.AckTime = route.Duration(ackTime) })
		if got := g.post("evt_1", "{}"); got.StatusCode != http.StatusOK {
			t.Fatalf("the answer is %d", got.StatusCode)
		}
		if got := g.options[0].Patience.Until.Sub(g.stored()[0].ReceivedAt); got != want {
			t.Errorf("of a sender that waits %s, an event is tried for %s, want %s", ackTime, got, want)
		}
	}
}

// hungStore takes an event when it is told to, or gives up with the caller.
type hungStore struct {
	Store
	arrived, take chan struct{}
}

func (s *hungStore) Accept(ctx context.Context, _ *store.Event, _ store.AcceptOptions) (store.Outcome, []store.Lease, error) {
	s.arrived <- struct{}{}
	select {
	case <-s.take:
		return store.Accepted, nil, ctx.Err()
	case <-ctx.Done():
		return 0, nil, store.ErrUnavailable
	}
}

// newHungGate is a gate with a request that waits for Redis until the sender hangs up.
func newHungGate(t *testing.T) (g *gate, hung *hungStore, hangUp context.CancelFunc, answered <-chan *http.Response) {
	t.Helper()
	g = newGate(t, nil)
	hung = &hungStore{arrived: make(chan struct{}, 1), take: make(chan struct{})}
	g.handler.Store = hung
	ctx, hangUp := context.WithCancel(t.Context())
	t.Cleanup(hangUp)
	body := strings.Repeat("x", 1000)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.server.URL+testPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = signed("evt_1", []byte(body))
	answers := make(chan *http.Response, 1)
	go func() {
		response, _ := g.server.Client().Do(request)
		if response != nil {
			_ = response.Body.Close()
		}
		answers <- response
	}()
	select {
	case <-hung.arrived:
	case <-time.After(30 * time.Second):
		t.Fatal("the event did not arrive")
	}
	if held := g.handler.memory.used(); held < 1000 {
		t.Errorf("while the event waits, its request has reserved %d bytes, want those of the body", held)
	}
	return g, hung, hangUp, answers
}

func TestASenderThatHangsUpChangesNothing(t *testing.T) {
	g, hung, hangUp, answered := newHungGate(t)
	hangUp()
	if response := <-answered; response != nil {
		t.Fatalf("the sender got an answer: %d", response.StatusCode)
	}
	hung.take <- struct{}{}
	if r := g.record(); r.Status != audit.Accepted || r.EventID != "evt_1" {
		t.Errorf("the audit record is %+v, want it accepted", r)
	}
	if held := g.handler.memory.used(); held != 0 {
		t.Errorf("afterwards %d bytes are reserved", held)
	}
}

// A receiver that ends answers what waits.
func TestNobodyWaitsForRedisAfterStopWaiting(t *testing.T) {
	g, _, _, answered := newHungGate(t)
	g.handler.StopWaiting()
	response := <-answered
	if response == nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Fatalf("the answer is %+v, want 503 with a Retry-After", response)
	}
	if r := g.record(); r.Status != audit.Unavailable || !r.SignatureVerified {
		t.Errorf("the audit record is %+v, want it unavailable", r)
	}
}

// backAgain starts Redis when a request has met that it is away.
func (g *syncGate) backAgain() {
	for testutil.ToFloat64(g.handler.Metrics.acceptsRetried) == 0 {
		if g.t.Context().Err() != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	g.redis.Restart()
}

func TestAnEventWaitsForRedis(t *testing.T) {
	for name, outcome := range map[string]audit.Status{"stored": audit.Accepted, "handed to the target": audit.Delivered} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			target := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) })
			g := newSyncGate(t, target, func(r *route.Route) {
				r.Delivery.Sync = outcome == audit.Delivered
				r.AckTime = route.Duration(route.MaxAckTime)
			})
			g.handler.Deliverer = g.Deliverer // the dispatcher itself
			g.redis.Kill()
			status := make(chan int, 1)
			go func() {
				defer close(status)
				response, _ := g.interact("evt-1")
				status <- response.StatusCode
			}()
			g.backAgain()
			if got := <-status; got != http.StatusOK {
				t.Errorf("the answer is %d, want 200", got)
			}
			for r := g.record(); r.Status != audit.Delivered; r = g.record() {
				if r.Status != outcome {
					t.Fatalf("the audit record is %+v", r)
				}
			}
			if got := asked.Load(); got != 1 {
				t.Errorf("the target was asked %d times, want once", got)
			}
		})
	}
}
