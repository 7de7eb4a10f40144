package deliver

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// fill enqueues jobs of one size into one lane until there is no room.
func fill(d *Dispatcher, endpoint string, size int64) (jobs int, bytes int64) {
	for jobs < 2*maxJobs && d.enqueue(&job{event: &store.Event{Meta: event.Meta{Endpoint: endpoint}}, size: size}) {
		jobs++
	}
	return jobs, int64(jobs) * size
}

// stuckDispatcher has lanes whose workers are all busy, so that what is queued
// stays there.
func stuckDispatcher(lanes int) *Dispatcher {
	d := &Dispatcher{o: Options{Routes: noRoutes{}}, lanes: map[laneKey]*lane{}, circuits: map[laneKey]*circuit{}}
	for i := range lanes {
		d.lanes[laneKey{fmt.Sprint("team/", i), ""}] = &lane{workers: 1}
	}
	return d
}

type noRoutes struct{}

func (noRoutes) Route(string) (route.Route, bool) { return route.Route{}, false }

func (noRoutes) Signer(string) Signer { return (*route.Entry)(nil) }

func TestStuckLanesLeaveRoomForOthers(t *testing.T) {
	for name, test := range map[string]struct {
		size  int64
		lanes int
	}{"small events": {4096, 500}, "large events": {1 << 20, 80}} {
		t.Run(name, func(t *testing.T) {
			d := stuckDispatcher(test.lanes)
			first, _ := fill(d, "team/0", test.size)
			for i := 1; i < test.lanes; i++ {
				if n, _ := fill(d, fmt.Sprint("team/", i), test.size); n == 0 || n > first {
					t.Fatalf("lane %d took %d jobs, the first one %d", i, n, first)
				}
			}
			if d.jobs > maxJobs+reserveJobs || d.bytes > maxBytes+reserveBytes {
				t.Errorf("%d jobs of %d bytes are held, that is more than the bounds", d.jobs, d.bytes)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const lanes = 10000
	d := stuckDispatcher(lanes)
	for i := range lanes {
		fill(d, fmt.Sprint("team/", i), 64<<10)
	}
	if d.jobs > maxJobs+reserveJobs || d.bytes > maxBytes+reserveBytes {
		t.Errorf("%d jobs of %d bytes are held, that is more than the bounds", d.jobs, d.bytes)
	}
	if jobs, bytes := d.room(); jobs > 0 && bytes > 64<<10 {
		t.Errorf("there is still room for %d jobs and %d bytes", jobs, bytes)
	}
}

func TestAnEventLargerThanAllRoomGoesAlone(t *testing.T) {
	d := stuckDispatcher(2)
	if n, _ := fill(d, "team/0", 2*maxBytes); n != 1 {
		t.Errorf("%d jobs were taken, want 1", n)
	}
	if n, _ := fill(d, "team/1", 1); n != 0 {
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
	d.running.Wait()
	if len(d.lanes) != 0 || d.jobs != 0 || d.bytes != 0 {
		t.Errorf("%d lanes, %d jobs, %d bytes are left, want none", len(d.lanes), d.jobs, d.bytes)
	}
}

func TestABacklogHasAShareAndNoMore(t *testing.T) {
	l := &lane{}
	for range 8 {
		l.live = append(l.live, &job{})
		l.backlog = append(l.backlog, &job{claimed: true})
	}
	var order string
	for j := l.take(8); j != nil; j = l.take(8) {
		if j.claimed {
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
	if parked := testutil.ToFloat64(d.metrics.parked); parked == 0 {
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
