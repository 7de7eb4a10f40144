package deliver

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// digesting is a target that answers 500 to events whose id begins with "poison", and
// takes all others.
func digesting(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("Sallyport-Event-Id"), "poison") {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// deliveredOf waits until so many events are delivered, and returns how much time that
// took by the clock, which moves when all is still for a moment.
func (w *world) deliveredOf(d *Dispatcher, want int) time.Duration {
	w.t.Helper()
	const step = 500 * time.Millisecond
	var passed time.Duration
	deadline := time.Now().Add(patienceOfTests)
	for seen := 0; seen < want; {
		select {
		case r := <-w.records:
			if r.Status == audit.Delivered {
				seen++
			}
		case <-time.After(20 * time.Millisecond):
			if time.Now().After(deadline) {
				w.t.Fatalf("%d of %d events are delivered after %s of the clock", seen, want, passed)
			}
			w.advance(step)
			passed += step
			d.core.due.now()
			d.core.room.now()
		}
	}
	return passed
}

// Events that make their target fail don't hold up the others, whatever the order.
func TestPoisonedEventsHoldUpNoOthers(t *testing.T) {
	for name, order := range map[string]func(poisoned, good []string) []string{
		"first": func(poisoned, good []string) []string { return append(poisoned, good...) },
		"last":  func(poisoned, good []string) []string { return append(good, poisoned...) },
		"around": func(poisoned, good []string) []string {
			half := len(poisoned) / 2
			return slices.Concat(poisoned[:half], good, poisoned[half:])
		},
		"shuffled": func(poisoned, good []string) []string {
			all := append(poisoned, good...)
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			return all
		},
	} {
		for _, most := range []int{1, 2 * tripPoints} {
			t.Run(fmt.Sprint(name, " ", most), func(t *testing.T) {
				w, endpoint := newPoisoned(t)
				d := w.run()
				var poisoned, good []string
				for i := range most {
					poisoned = append(poisoned, fmt.Sprint("poison-", i))
				}
				for i := range 100 {
					good = append(good, fmt.Sprint("good-", i))
				}
				for _, id := range order(poisoned, good) {
					w.offer(d, endpoint, id)
				}
				if passed := w.deliveredOf(d, len(good)); passed > 4*maxProbe {
					t.Errorf("it took %s", passed)
				}
			})
		}
	}
}

// Events that have failed, and fail in each probe, hold up nothing that comes later: that
// need not wait for the next of their probes, which is a minute away.
func TestRetriesOfPoisonedEventsHoldUpNothing(t *testing.T) {
	w, endpoint := newPoisoned(t)
	for i := range 2 * tripPoints {
		_, lease := w.accept(endpoint, fmt.Sprint("poison-", i))
		if err := w.store.Retry(t.Context(), lease, w.now(), store.Failure{Attempts: 1, First: w.now(), Error: "500"}); err != nil {
			t.Fatal(err)
		}
	}
	d := w.run()
	look := func(at func(*circuit) bool) bool {
		d.core.due.now()
		d.core.room.now()
		d.core.targets.mu.Lock()
		defer d.core.targets.mu.Unlock()
		c := d.core.targets.circuits[targetID{endpoint, ""}]
		return c != nil && c.open && at(c)
	}
	w.eventually("probes have failed again and again", func() bool {
		w.advance(maxProbe)
		return look(func(c *circuit) bool { return probeWait(c.trips, none) == maxProbe })
	})
	w.eventually("their next probe is a while away", func() bool {
		return look(func(c *circuit) bool { return !c.probes[anyProbe].busy && !c.probes[anyProbe].due(w.now()) })
	})
	w.offer(d, endpoint, "later") // and the clock stands
	for {
		if r := await(t, w.records, "the delivery of what came later"); r.Status == audit.Delivered {
			break
		}
	}
}

// newPoisoned is a world whose clock stands, and an endpoint with a digesting target.
// What fails comes back often, for the whole test.
func newPoisoned(t *testing.T) (w *world, endpoint string) {
	w = newWorld(t)
	w.stopClock()
	endpoint = w.target("api", digesting)
	w.setRoute(endpoint, func(r *route.Route) {
		r.Delivery.Retry.MaxAttempts, r.Delivery.MaxInFlight = 1000, 2
		r.Delivery.Retry.MinBackoff, r.Delivery.Retry.MaxBackoff = route.Duration(time.Second), route.Duration(4*time.Second)
	})
	return w, endpoint
}
