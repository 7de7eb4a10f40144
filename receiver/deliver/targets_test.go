package deliver

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/store"
)

// fill puts jobs of one size into one lane until there is no room, and returns how
// many that were.
func fill(ts *targets, endpoint string, size int64) (jobs int) {
	for jobs < 2*maxJobs {
		if ok, _ := ts.put(&job{event: &store.Event{Meta: event.Meta{Endpoint: endpoint}}, size: size}, anyTime); !ok {
			break
		}
		jobs++
	}
	return jobs
}

// stuckTargets have lanes whose workers are all busy, so that what is queued stays
// there.
func stuckTargets(lanes int) *targets {
	ts := newTargets(func(string) bounds { return bounds{inFlight: 1, depth: math.MaxInt} })
	for i := range lanes {
		ts.lanes[targetID{fmt.Sprint("team/", i), ""}] = &lane{workers: 1}
	}
	return ts
}

// wantBounded wants no more in memory than there may be.
func wantBounded(t *testing.T, ts *targets) {
	t.Helper()
	if ts.all.jobs > maxJobs+reserveJobs || ts.all.bytes > maxBytes+reserveBytes {
		t.Errorf("%d jobs of %d bytes are in memory, that is more than the bounds", ts.all.jobs, ts.all.bytes)
	}
}

func TestStuckLanesLeaveRoomForOthers(t *testing.T) {
	for name, test := range map[string]struct {
		size  int64
		lanes int
	}{"small events": {4096, 500}, "large events": {1 << 20, 80}} {
		t.Run(name, func(t *testing.T) {
			ts := stuckTargets(test.lanes)
			first := fill(ts, "team/0", test.size)
			for i := 1; i < test.lanes; i++ {
				if n := fill(ts, fmt.Sprint("team/", i), test.size); n == 0 || n > first {
					t.Fatalf("lane %d took %d jobs, the first one %d", i, n, first)
				}
			}
			wantBounded(t, ts)
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const lanes = 10000
	ts := stuckTargets(lanes)
	for i := range lanes {
		fill(ts, fmt.Sprint("team/", i), 64<<10)
	}
	wantBounded(t, ts)
	if jobs, bytes := ts.room(); jobs > 0 && bytes > 64<<10 {
		t.Errorf("there is still room for %d jobs and %d bytes", jobs, bytes)
	}
}

func TestAnEventLargerThanAllRoomGoesAlone(t *testing.T) {
	ts := stuckTargets(2)
	if n := fill(ts, "team/0", 2*maxBytes); n != 1 {
		t.Errorf("%d jobs were taken, want 1", n)
	}
	if n := fill(ts, "team/1", 1); n != 0 {
		t.Errorf("%d jobs were taken beside it, want none", n)
	}
}

func TestALaneIsForgottenWhenItIsIdle(t *testing.T) {
	w := newWorld(t)
	d := w.dispatcher()
	endpoint := w.target("api", answering(200))
	for i := range 50 {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	for range 50 {
		w.want(audit.Delivered, 1)
	}
	d.core.targets.workers.Wait()
	if len(d.core.targets.lanes) != 0 || d.core.targets.all.jobs != 0 || d.core.targets.all.bytes != 0 {
		t.Errorf("%d lanes, %d jobs, %d bytes are left, want none", len(d.core.targets.lanes), d.core.targets.all.jobs, d.core.targets.all.bytes)
	}
}

func TestABacklogHasAShareAndNoMore(t *testing.T) {
	l := &lane{}
	for range 8 {
		l.live = append(l.live, &job{})
		l.log = append(l.log, &job{from: claimed})
	}
	var order string
	for j := l.take(8); j != nil; j = l.take(8) {
		if j.fromLog() {
			order += "b"
		} else {
			order += "l"
		}
	}
	if want := "lllblllbllbbbbbb"; order != want {
		t.Errorf("taken in order %s, want %s", order, want)
	}
}

func TestWhatDoesNotFitIsDeliveredLater(t *testing.T) {
	w := newWorld(t)
	hang := newHanging()
	endpoint := w.target("api", http.HandlerFunc(hang.ServeHTTP))
	d := w.run()
	const n = maxJobs/laneShare + 50
	for i := range n {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	if held := testutil.ToFloat64(d.core.metrics.held); held == 0 {
		t.Errorf("all of %d events found room: the test tests nothing", n)
	}
	close(hang.answer)
	seen := map[string]bool{}
	for range n {
		seen[w.want(audit.Delivered, 1).EventID] = true
	}
	if len(seen) != n {
		t.Errorf("%d events were delivered, want %d", len(seen), n)
	}
	w.wantStored(0, 0)
}

func storedJob(endpoint, id string, from origin) *job {
	return newJob(&store.Event{Meta: event.Meta{Endpoint: endpoint, ID: id}}, store.Lease{}, from)
}

// What is queued for a target whose circuit opens is the caller's to hold, once, and
// takes no room any more.
func TestAnOpeningCircuitEmptiesItsLane(t *testing.T) {
	ts := stuckTargets(2)
	running := storedJob("team/0", "running", offered)
	ts.put(running, anyTime)
	ts.lanes[running.target()].take(1)
	for i, from := range []origin{offered, claimed, refilled} {
		ts.put(storedJob("team/0", fmt.Sprint(i), from), anyTime)
	}
	ts.put(storedJob("team/1", "other", offered), anyTime)
	down := outcome{verdict: held, noRoute: true, err: errors.New("no route")}
	if l := ts.learn(running, down, anyTime); !l.opened || l.reason != "no route" || len(l.left) != 3 || ts.all.jobs != 2 || ts.refilled.jobs != 0 {
		t.Errorf("the lesson is %+v, and %d jobs are in memory", l, ts.all.jobs)
	}
	if l := ts.learn(storedJob("team/0", "late", offered), down, anyTime); l.opened || len(l.left) != 0 {
		t.Errorf("the circuit opened twice: %+v", l)
	}
	if ok, _ := ts.put(storedJob("team/0", "new", offered), anyTime); ok {
		t.Error("a target whose circuit is open got a job")
	}
	if blocked := ts.blocked(); len(blocked) != 1 || blocked[0].Endpoint != "team/0" {
		t.Errorf("blocked are %v", blocked)
	}
}

func TestWhatHasNotBegunIsLeftOnceByAClose(t *testing.T) {
	ts := stuckTargets(2)
	for i := range 2 {
		ts.put(storedJob(fmt.Sprint("team/", i), "1", offered), anyTime)
		ts.put(storedJob(fmt.Sprint("team/", i), "2", claimed), anyTime)
	}
	if left := ts.close(); len(left) != 4 {
		t.Errorf("%d jobs are left, want 4", len(left))
	}
	if ok, worker := ts.put(storedJob("team/0", "late", offered), anyTime); ok || worker {
		t.Error("a job was taken after the close")
	}
	if left := ts.close(); len(left) != 0 {
		t.Errorf("%d jobs are left twice", len(left))
	}
}

func TestCallsAreCountedByTarget(t *testing.T) {
	ts := stuckTargets(0)
	one, other := storedJob("team/0", "1", offered), storedJob("team/1", "1", offered)
	for _, want := range []error{nil, nil, ErrCrowded} {
		if err := ts.enter(one, 2, anyTime); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if err := ts.enter(other, 2, anyTime); err != nil {
		t.Errorf("another target: %v", err)
	}
	ts.leave(one)
	if err := ts.enter(one, 2, anyTime); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}
