package deliver

import (
	"fmt"
	"net/http"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// fill enqueues jobs of one size into one lane until there is no room.
func fill(d *Dispatcher, endpoint string, size int64) (jobs int, bytes int64) {
	for jobs < 2*maxJobs && d.enqueue(&job{event: &store.Event{Endpoint: endpoint}, size: size}) {
		jobs++
	}
	return jobs, int64(jobs) * size
}

// stuckDispatcher has workers that never get to their jobs, because its routes
// block.
func stuckDispatcher(t *testing.T) *Dispatcher {
	t.Helper()
	w := newWorld(t)
	d := w.dispatcher()
	d.draining = false
	for i := range 200 {
		for _, kind := range []string{"small", "large"} {
			// A lane whose workers are all busy starts no more of them.
			d.lanes[laneKey{fmt.Sprintf("team/%s-%d", kind, i), ""}] = &lane{workers: 1000}
		}
	}
	return d
}

func TestStuckLanesNeverUseUpAllTheRoom(t *testing.T) {
	for kind, size := range map[string]int64{"small": 4096, "large": 1 << 20} {
		t.Run(kind, func(t *testing.T) {
			d := stuckDispatcher(t)
			first, _ := fill(d, fmt.Sprintf("team/%s-0", kind), size)
			for i := 1; i < 200; i++ {
				if n, _ := fill(d, fmt.Sprintf("team/%s-%d", kind, i), size); n == 0 || n > first {
					t.Fatalf("lane %d took %d jobs, the first one %d", i, n, first)
				}
			}
			if d.jobs > maxJobs || d.bytes > maxBytes {
				t.Errorf("%d jobs of %d bytes are held, want at most %d and %d", d.jobs, d.bytes, maxJobs, int64(maxBytes))
			}
		})
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
		l.add(&job{})
		l.add(&job{claimed: true})
	}
	var order string
	for j := l.take(); j != nil; j = l.take() {
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
	if d.jobs >= n {
		t.Errorf("%d jobs are in memory, want fewer than the %d offered", d.jobs, n)
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
