package deliver

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// recovering is a target that is broken in one way until it is mended, and counts
// what it is asked.
type recovering struct {
	broken http.HandlerFunc
	asked  atomic.Int64
	mended atomic.Bool
}

func (r *recovering) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.asked.Add(1)
	if !r.mended.Load() {
		r.broken(w, request)
	}
}

// cutsOff closes the connection before it answers.
func cutsOff(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// TestDeadTargetsDelayNobody has three targets that are dead in three ways, with
// thousands of events for them, beside one that works.
func TestDeadTargetsDelayNobody(t *testing.T) {
	const perTarget, live = 1700, 500
	w := newWorld(t)
	hang := newHanging()
	hang.arrived = make(chan string, 10*perTarget)
	dead := map[string]*recovering{
		"hangs": {broken: hang.ServeHTTP}, "cuts-off": {broken: cutsOff}, "answers-500": {broken: answering(500)},
	}
	healthy := w.target("healthy", answering(200))
	for name, target := range dead {
		w.setRoute(w.target(name, target.ServeHTTP), func(r *route.Route) {
			r.Delivery.Timeout, r.Delivery.Retry.MaxAttempts = route.Duration(time.Second), 100
		})
	}
	d := w.run()
	peak := w.watchMemory(d)

	var senders sync.WaitGroup
	for name := range dead {
		senders.Go(func() {
			for i := range perTarget {
				w.offer(d, "team/"+name, fmt.Sprint(name, i))
			}
		})
	}
	for i := range live {
		w.offer(d, healthy, fmt.Sprint(i))
	}
	for delivered := 0; delivered < live; {
		r := await(t, w.records, "a delivery to the healthy target")
		if r.Status == audit.RetryScheduled {
			continue // of the dead ones
		}
		if r.Endpoint != healthy || r.Status != audit.Delivered || r.Attempt != 1 {
			t.Fatalf("%s of %s is %s at attempt %d", r.EventID, r.Endpoint, r.Status, r.Attempt)
		}
		delivered++
	}
	senders.Wait()
	w.eventually("all that is for dead targets is held", func() bool {
		stats, err := w.store.Stats(t.Context())
		return err == nil && stats.Held >= int64(len(dead)*perTarget-3*tripPoints) && stats.Pending == int64(len(dead)*perTarget)
	})
	for name, target := range dead {
		// What was in flight when the circuit opened, its failures, and some probes.
		if asked := target.asked.Load(); asked > 60 {
			t.Errorf("the target that %s was asked %d times, want its circuit to keep most attempts from it", name, asked)
		}
	}

	for _, target := range dead {
		target.mended.Store(true)
	}
	w.advance(2 * maxProbe)
	seen := map[string]bool{}
	for len(seen) < len(dead)*perTarget {
		switch r := await(t, w.records, "a delivery to a target that recovered"); r.Status {
		case audit.Delivered:
			seen[r.EventID] = true
		case audit.DeadLettered:
			t.Fatalf("%s is a dead letter: %s", r.EventID, r.ErrorMessage)
		}
	}
	w.wantStored(0, 0)
	if got := peak(); got > maxJobs+reserveJobs {
		t.Errorf("%d jobs were in memory at a time, want at most %d", got, maxJobs+reserveJobs)
	}
}

// watchMemory notes how many jobs are in memory, until the most is asked for.
func (w *world) watchMemory(d *Dispatcher) (most func() int) {
	done, result := make(chan struct{}), make(chan int)
	go func() {
		peak := 0
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				result <- peak
				return
			case <-ticker.C:
				d.core.targets.mu.Lock()
				peak = max(peak, d.core.targets.all.jobs)
				d.core.targets.mu.Unlock()
			}
		}
	}()
	return func() int { close(done); return <-result }
}

// TestAHungTargetKeepsMemoryBounded: whatever waits for it waits in Redis.
func TestAHungTargetKeepsMemoryBounded(t *testing.T) {
	const n = 100_000
	w := newWorld(t)
	hang := newHanging()
	endpoint := w.target("api", hang.ServeHTTP)
	d := w.run()
	peak := w.watchMemory(d)
	var senders sync.WaitGroup
	for s := range 64 {
		senders.Go(func() {
			for i := s; i < n; i += 64 {
				e := &store.Event{Meta: event.Meta{Endpoint: endpoint, ID: fmt.Sprint(i), ReceivedAt: w.now()}, Method: http.MethodPost, Body: make([]byte, 100)}
				outcome, leases, err := w.store.Accept(t.Context(), e, store.AcceptOptions{Window: time.Hour, Lease: Lease})
				if err != nil || outcome != store.Accepted {
					t.Errorf("Accept = %s, %v", outcome, err)
					return
				}
				d.Offer(e, leases[0])
			}
		})
	}
	senders.Wait()
	w.advance(Lease + time.Second) // for those that there was no room to hold
	w.eventually("what there is no room for is held", func() bool {
		stats, err := w.store.Stats(t.Context())
		return err == nil && stats.Held > n-maxJobs/laneShare-maxRefilled && stats.Pending == n
	})
	if got := peak(); got > maxJobs/laneShare+maxRefilled {
		t.Errorf("%d jobs were in memory at a time, want at most %d", got, maxJobs/laneShare+maxRefilled)
	}
}
