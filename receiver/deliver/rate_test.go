package deliver

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
)

func (w *world) limitRate(endpoint string, perSecond, burst int) {
	w.setRoute(endpoint, func(r *route.Route) {
		r.Delivery.RateLimit = &route.RateLimit{PerSecond: perSecond, Burst: burst}
	})
}

func TestDeliveriesKeepToTheRate(t *testing.T) {
	const events, perSecond, burst = 60, 50, 10
	w := newWorld(t)
	arrived := make(chan time.Time, events)
	endpoint := w.target("api", func(http.ResponseWriter, *http.Request) { arrived <- time.Now() })
	w.limitRate(endpoint, perSecond, burst)
	d := w.run()
	for i := range events {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	first := await(t, arrived, "the first attempt")
	last := first
	for range events - 1 {
		last = await(t, arrived, "an attempt")
	}
	// Attempts may bunch by the time that each takes to reach the target.
	if took, least := last.Sub(first), time.Second*(events-burst)/perSecond-200*time.Millisecond; took < least {
		t.Errorf("%d events arrived within %s, want at least %s", events, took, least)
	}
	for range events {
		w.want(audit.Delivered, 1) // none failed, and none was attempted twice
	}
	w.wantStored(0, 0)
}

func TestWhatWaitsForItsTurnIsBoundedAndHandedBack(t *testing.T) {
	const events = 40
	w := newWorld(t)
	hang := newHanging()
	endpoint := w.target("slow", hang.ServeHTTP)
	healthy := w.target("healthy", answering(200))
	w.limitRate(endpoint, 1, 1)
	d := w.dispatcher()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go d.holder.run(ctx)
	for i := range events {
		w.offer(d, endpoint, fmt.Sprint(i))
	}
	await(t, hang.arrived, "the attempt that the burst allows")
	w.awaitStats(func(held, pending int64) bool { return held >= events-2*rateQueue && pending == events })
	w.offer(d, healthy, "of another")
	w.want(audit.Delivered, 1)

	close(hang.answer)
	if err := d.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := w.store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What was neither delivered nor held is free for others at once.
	w.due(int(got.Pending - got.Held))
	if done := events - got.Pending; done < 1 || done > 2*rateQueue {
		t.Errorf("%d of %d were attempted by then", done, events)
	}
}

func TestABucketIsKeptUntilItIsFull(t *testing.T) {
	r := buckets{}
	key := targetID{"team/api", ""}
	one := r.of(key, route.RateLimit{PerSecond: 1, Burst: 3})
	if !one.Allow() {
		t.Fatal("a new bucket is empty")
	}
	r.prune()
	if r.of(key, route.RateLimit{PerSecond: 1, Burst: 3}) != one {
		t.Error("a bucket that is not full was forgotten, so its target would get more than its rate")
	}
	changed := r.of(key, route.RateLimit{PerSecond: 100, Burst: 2})
	if changed != one || changed.Burst() != 2 || changed.Limit() != 100 {
		t.Errorf("a changed limit makes a bucket of %v with %d", changed.Limit(), changed.Burst())
	}
	full := r.of(targetID{"team/api", "route"}, route.RateLimit{PerSecond: 1, Burst: 1})
	r.prune()
	if r.of(targetID{"team/api", "route"}, route.RateLimit{PerSecond: 1, Burst: 1}) == full {
		t.Error("a full bucket was kept")
	}
}
