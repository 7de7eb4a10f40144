package deliver

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// switching answers with a status that can be changed, 0: 200, and counts.
type switching struct {
	status atomic.Int32
	asked  atomic.Int64
}

func (s *switching) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.asked.Add(1)
	if status := int(s.status.Load()); status != 0 {
		w.WriteHeader(status)
	}
}

// slowRetries keeps retries out of a test: what fails is not due again. Full
// jitter chooses any time up to the backoff, and tests advance the clock by
// hours, so the backoff is a century.
func slowRetries(r *route.Route) {
	const century = route.Duration(100 * 365 * 24 * time.Hour)
	r.Delivery.Retry.MinBackoff, r.Delivery.Retry.MaxBackoff, r.Delivery.Retry.MaxAge = century, century, 2*century
}

// trip lets a target fail until its circuit opens, and returns how many events
// that took. It stops the clock: when the next probe is made is up to the test.
func (w *world) trip(d *Dispatcher, endpoint string) int {
	w.t.Helper()
	w.stopClock()
	for i := range tripPoints {
		w.offer(d, endpoint, fmt.Sprint("trip-", i))
		w.want(audit.RetryScheduled, 1)
	}
	if d.core.targets.openBecause(targetID{endpoint, ""}) == "" {
		w.t.Fatal("the circuit is still closed")
	}
	return tripPoints
}

func (w *world) wantHeld(want int64) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d deliveries are held", want), func() bool {
		stats, err := w.store.Stats(w.t.Context())
		return err == nil && stats.Held == want
	})
}

// eventually waits for what has no event in the audit: what happens in Redis in
// the background.
func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patienceOfTests)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
		<-ticker.C
	}
}

func TestAFailingTargetIsHeldAndDeliveredWhenItReturns(t *testing.T) {
	w := newWorld(t)
	target := &switching{}
	target.status.Store(500)
	endpoint := w.target("api", target.ServeHTTP)
	w.setRoute(endpoint, slowRetries)
	d := w.run()
	tripped := w.trip(d, endpoint)
	asked := target.asked.Load()
	const n = 100
	for i := range n {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	w.wantHeld(n)
	if more := target.asked.Load() - asked; more > 0 {
		t.Errorf("%d attempts were made while the circuit was open", more)
	}
	if got := testutil.ToFloat64(d.core.metrics.circuitOpen.WithLabelValues(endpoint, "")); got != 1 {
		t.Errorf("the metric of the open circuit is %v, want 1", got)
	}
	target.status.Store(0)
	w.advance(2 * maxProbe)
	seen := map[string]bool{}
	for len(seen) < n {
		if r := await(t, w.records, "a delivery"); r.Status == audit.Delivered {
			seen[r.EventID] = true
		}
	}
	w.wantStored(int64(tripped), 0) // those wait for their retry
	if got := testutil.CollectAndCount(d.core.metrics.circuitOpen); got != 0 {
		t.Errorf("the metric of open circuits has %d series, want none", got)
	}
}

// Whoever holds a delivery need not be who delivers it: the backlog is in the log.
func TestAnotherReceiverDeliversWhatOneHeld(t *testing.T) {
	w := newWorld(t)
	target := &switching{}
	target.status.Store(500)
	endpoint := w.target("api", target.ServeHTTP)
	w.setRoute(endpoint, slowRetries)
	ctx, cancel := context.WithCancel(t.Context())
	first := w.dispatcher()
	ended := make(chan struct{})
	go func() { first.Run(ctx); close(ended) }()
	w.trip(first, endpoint)
	const n = 20
	for i := range n {
		w.offer(first, endpoint, fmt.Sprint(i))
	}
	w.wantHeld(n)
	cancel() // the first one ends
	await(t, ended, "the end of the first receiver")
	target.status.Store(0)
	w.run()
	for range n {
		w.want(audit.Delivered, 1)
	}
}

// Retries that become due for a target whose circuit is open are held in Redis,
// and those of others are claimed as if they were not there.
func TestADueBacklogDelaysNobody(t *testing.T) {
	w := newWorld(t)
	target := &switching{}
	target.status.Store(500)
	dead := w.target("dead", target.ServeHTTP)
	healthy := w.target("healthy", answering(200))
	w.setRoute(dead, slowRetries)
	d := w.dispatcher()
	tripped := w.trip(d, dead)
	const n = 500
	for i := range n {
		w.release(dead, fmt.Sprint("dead-", i))
	}
	w.release(healthy, "healthy")
	if _, err := d.claimer.claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.want(audit.Delivered, 1); r.Endpoint != healthy {
		t.Errorf("%s was delivered, want the healthy one", r.EventID)
	}
	for range n/heldPerClaim + 1 {
		if _, err := d.claimer.claim(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stats, err := w.store.Stats(t.Context())
	if err != nil || stats.Held != n || stats.Pending != int64(n+tripped) {
		t.Errorf("stored is %+v, %v, want %d held", stats, err, n)
	}
	if d.core.targets.all.jobs != 0 {
		t.Errorf("%d jobs are in memory, want none", d.core.targets.all.jobs)
	}
}

// heldPerClaim is less than one claim holds in all partitions.
const heldPerClaim = 250

// release stores an event that is due at once.
func (w *world) release(endpoint, id string) {
	w.t.Helper()
	_, lease := w.accept(endpoint, id)
	if err := w.store.Release(w.t.Context(), lease); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhatIsHeldTooLongIsADeadLetter(t *testing.T) {
	w := newWorld(t)
	target := &switching{}
	target.status.Store(503)
	endpoint := w.target("api", target.ServeHTTP)
	w.setRoute(endpoint, slowRetries)
	d := w.run()
	tripped := w.trip(d, endpoint)
	const n = maxRefilled + 50 // more than are looked at in one go
	for i := range n {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	w.wantHeld(n)
	w.setRoute(endpoint, func(r *route.Route) { r.Delivery.Retry.MaxAge = route.Duration(time.Hour) })
	w.advance(2 * time.Hour)
	dead := 0
	for dead < n {
		if r := await(t, w.records, "a dead letter"); r.Status == audit.DeadLettered {
			dead++
			if r.ErrorMessage == "" {
				t.Errorf("%s is a dead letter for no reason", r.EventID)
			}
		}
	}
	w.wantStored(int64(tripped), n)
}

// A target that is slow holds what it can; the rest waits in its backlog and is
// not claimed over and over.
func TestASlowTargetIsNotClaimedOverAndOver(t *testing.T) {
	w := newWorld(t)
	hang := newHanging()
	endpoint := w.target("api", hang.ServeHTTP)
	d := w.run()
	const n = 900 // more than a lane holds
	for i := range n {
		w.release(endpoint, fmt.Sprint(i))
	}
	w.eventually("all that there is no room for is held", func() bool {
		stats, err := w.store.Stats(t.Context())
		counted := int64(testutil.ToFloat64(d.core.metrics.held)) // a moment after it is done
		d.core.targets.mu.Lock()
		defer d.core.targets.mu.Unlock()
		return err == nil && stats.Held+int64(d.core.targets.all.jobs) >= n && d.core.targets.all.jobs <= maxJobs/laneShare+maxRefilled && counted >= stats.Held
	})
	before := testutil.ToFloat64(d.core.metrics.held)
	for range 10 { // passes of the refiller
		if _, err := d.refiller.refill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if more := testutil.ToFloat64(d.core.metrics.held) - before; more > 2 {
		t.Errorf("%v deliveries were held again", more)
	}
	close(hang.answer)
	for range n {
		w.want(audit.Delivered, 1)
	}
	w.wantStored(0, 0)
}

// What is held of several targets is delivered in turns.
func TestBacklogsHaveTurns(t *testing.T) {
	w := newWorld(t)
	const targets, each = 4, 60
	var endpoints []string
	for i := range targets {
		endpoint := w.target(fmt.Sprint("api-", i), answering(200))
		endpoints = append(endpoints, endpoint)
		for n := range each {
			_, lease := w.accept(endpoint, fmt.Sprint(n))
			if err := w.store.Hold(t.Context(), lease, endpoint, w.now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.run()
	done := map[string]int{}
	for range targets * each {
		done[w.want(audit.Delivered, 1).Endpoint]++
		if done[endpoints[0]] == each {
			break
		}
	}
	// Turns are taken per partition and by who answers faster, so that they are only
	// roughly equal; without turns, the last target would have got nothing yet.
	for _, endpoint := range endpoints {
		if done[endpoint] < each/10 {
			t.Errorf("%d of %s were delivered when another target had got all of its %d", done[endpoint], endpoint, each)
		}
	}
}

// A backlog never takes all of the attempts that a target may get at a time.
func TestLiveEventsHaveRoomBesideABacklog(t *testing.T) {
	w := newWorld(t)
	hang := newHanging()
	endpoint := w.target("api", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sallyport-Event-Id") != "live" {
			hang.ServeHTTP(rw, r)
		}
	})
	for i := range 50 {
		w.release(endpoint, fmt.Sprint(i))
	}
	d := w.run()
	for range logShare(4) {
		await(t, hang.arrived, "an attempt of the backlog")
	}
	w.offer(d, endpoint, "live")
	if r := w.want(audit.Delivered, 1); r.EventID != "live" {
		t.Errorf("%s was delivered, want the live event", r.EventID)
	}
	close(hang.answer)
	for range 50 {
		w.want(audit.Delivered, 1)
	}
}

// A Service that appears gets what was held for it within a second or so.
func TestAResolvedTargetIsProbedSoon(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("api", answering(200))
	w.setRoute(endpoint, func(r *route.Route) { r.Target.Unresolved = "the Service does not exist" })
	d := w.run()
	w.offer(d, endpoint, "1")
	w.wantHeld(1)
	d.core.targets.mu.Lock()
	d.core.targets.circuits[targetID{endpoint, ""}].probeFrom(w.now().Add(time.Hour))
	d.core.targets.mu.Unlock()
	w.setRoute(endpoint, func(r *route.Route) { r.Target.Unresolved = "" })
	w.want(audit.Delivered, 1)
}

// A dead letter that a duplicate revives while its target is down waits with the
// others.
func TestARevivedDeadLetterIsHeld(t *testing.T) {
	w := newWorld(t)
	target := &switching{}
	target.status.Store(500)
	endpoint := w.target("api", target.ServeHTTP)
	w.setRoute(endpoint, slowRetries)
	d := w.dispatcher()
	event, lease := w.accept(endpoint, "1")
	if err := w.store.DeadLetter(t.Context(), lease, store.Failure{Attempts: 12}); err != nil {
		t.Fatal(err)
	}
	w.trip(d, endpoint)
	outcome, _, err := w.store.Accept(t.Context(), event, store.AcceptOptions{Window: time.Hour, Lease: Lease})
	if err != nil || outcome != store.Revived {
		t.Fatalf("Accept = %s, %v, want it revived", outcome, err)
	}
	if _, err := d.claimer.claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantHeld(1)
}
