package deliver

import (
	"fmt"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// awaitStats waits until what is stored is as wanted.
func (w *world) awaitStats(wanted func(held, pending int64) bool) {
	w.t.Helper()
	deadline := time.Now().Add(patienceOfTests)
	for {
		got, err := w.store.Stats(w.t.Context())
		if err == nil && wanted(got.Held, got.Pending) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d of %d deliveries are held, %v", got.Held, got.Pending, err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// awaitHeld waits until so many deliveries are in backlogs, and none elsewhere.
func (w *world) awaitHeld(want int64) {
	w.t.Helper()
	w.awaitStats(func(held, pending int64) bool { return held == want && pending == want })
}

func (w *world) pause(endpoint string) {
	w.setRoute(endpoint, func(r *route.Route) { r.Delivery.Paused = true })
}

// resume does as the manager does.
func (w *world) resume(endpoint string) {
	now := w.now()
	w.setRoute(endpoint, func(r *route.Route) { r.Delivery.Paused, r.Delivery.ResumedTime = false, now })
}

func TestAPauseHoldsEverythingAndSpendsNothing(t *testing.T) {
	const events = 5
	w := newWorld(t)
	endpoint := w.target("api", answering(500, 200))
	other := w.target("other", answering(200))
	w.pause(endpoint)
	d := w.run()
	for i := range events {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	w.awaitHeld(events)
	w.offer(d, other, "of another") // is delivered meanwhile
	if r := w.want(audit.Delivered, 1); r.EventID != "of another" {
		t.Fatalf("%s was delivered during the pause", r.EventID)
	}
	w.advance(100 * time.Hour) // beyond maxAge
	if _, err := d.refiller.refill(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.awaitHeld(events)
	w.resume(endpoint)
	d.core.room.now()
	w.want(audit.RetryScheduled, 1) // and is no dead letter, for it has become no older
	for range events {
		w.await(audit.Delivered)
	}
	w.wantStored(0, 0)
}

// await waits for the next audit record, of whatever attempt.
func (w *world) await(status audit.Status) {
	w.t.Helper()
	if r := await(w.t, w.records, fmt.Sprintf("a record of %s", status)); r.Status != status {
		w.t.Fatalf("record of %s is %s (%s), want %s", r.EventID, r.Status, r.ErrorMessage, status)
	}
}

func TestTooOld(t *testing.T) {
	received := time.Unix(1780000000, 0)
	for name, c := range map[string]struct {
		revived, resumed, after time.Duration // since the receipt; 0: never
		paused, want            bool
	}{
		"young":                   {after: time.Hour},
		"too old":                 {after: 2 * time.Hour, want: true},
		"paused":                  {after: 200 * time.Hour, paused: true},
		"resumed just now":        {resumed: 100 * time.Hour, after: 101 * time.Hour},
		"resumed long ago":        {resumed: 100 * time.Hour, after: 102 * time.Hour, want: true},
		"received after a pause":  {resumed: -100 * time.Hour, after: time.Hour},
		"revived":                 {revived: 100 * time.Hour, after: 101 * time.Hour},
		"revived before a pause":  {revived: time.Hour, resumed: 100 * time.Hour, after: 101 * time.Hour},
		"revived, and again late": {revived: 100 * time.Hour, after: 102 * time.Hour, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			j := &job{event: &store.Event{Meta: event.Meta{ReceivedAt: received}}}
			rules := route.Delivery{Paused: c.paused, Retry: route.Retry{MaxAge: route.Duration(90 * time.Minute)}}
			if c.revived != 0 {
				j.failure.Since = received.Add(c.revived)
			}
			if c.resumed != 0 {
				rules.ResumedTime = received.Add(c.resumed)
			}
			if got := (situation{rules: &rules, since: j.since()}).tooOld(received.Add(c.after)); got != c.want {
				t.Errorf("too old: %t, want %t", got, c.want)
			}
		})
	}
}
