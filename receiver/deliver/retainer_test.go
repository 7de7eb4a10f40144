package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// testRetention is for how long dead letters are kept here.
const testRetention = 24 * time.Hour

// retains makes a dispatcher that removes dead letters that are too old.
func (w *world) retains(s Store) *Dispatcher {
	w.t.Helper()
	d, err := New(Options{
		Store: s, Routes: w, ClusterDomain: "cluster.local", ConnectTo: w.connect, Audit: w, DeadLetterRetention: testRetention,
		RetentionEvery: time.Millisecond, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// died stores an event whose delivery was given up.
func (w *world) died(endpoint, id string) {
	w.t.Helper()
	_, lease := w.accept(endpoint, id)
	if err := w.store.DeadLetter(w.t.Context(), lease, store.Failure{Attempts: 3, Error: "the target answered 500"}); err != nil {
		w.t.Fatal(err)
	}
}

func TestOldDeadLettersAreRemovedAndRecorded(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("orders", answering(200))
	w.died(endpoint, "old")
	w.advance(testRetention + time.Second)
	w.died(endpoint, "young")
	d := w.retains(w.store)
	if _, err := d.retainer.retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := w.want(audit.Expired, 3)
	if r.EventID != "old" || r.Endpoint != endpoint || r.Target != "team/orders:80" || r.BodyBytes != int64(len("body of old")) || !r.SignatureVerified ||
		!strings.Contains(r.ErrorMessage, "given up 24h0m1s ago, and dead letters are kept for 24h0m0s") || !strings.Contains(r.ErrorMessage, "answered 500") {
		t.Errorf("the record is %+v", r)
	}
	if got := testutil.ToFloat64(d.core.metrics.expired); got != 1 {
		t.Errorf("%v are counted, want 1", got)
	}
	w.wantStored(0, 1)
	w.accept(endpoint, "old") // a later copy is a new event
}

func TestDeadLettersAreKeptForEver(t *testing.T) {
	w := newWorld(t)
	w.died("team/orders", "1")
	w.advance(100 * 365 * 24 * time.Hour)
	d := w.retains(w.store)
	d.core.DeadLetterRetention = 0
	if _, err := d.retainer.retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantStored(0, 1)
}

// Several receivers look at once: each dead letter is recorded by one of them.
func TestEachDeadLetterExpiresOnce(t *testing.T) {
	w := newWorld(t)
	const n = 250 // more than a batch
	for i := range n {
		w.died("team/orders", fmt.Sprint(i))
	}
	w.advance(testRetention + time.Second)
	var looking sync.WaitGroup
	for range 3 {
		d := w.retains(w.store)
		looking.Go(func() {
			if _, err := d.retainer.retain(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	looking.Wait()
	seen := map[string]bool{}
	for range n {
		seen[w.want(audit.Expired, 3).EventID] = true
	}
	if len(seen) != n || len(w.records) != 0 {
		t.Errorf("%d of %d were recorded, and %d records are left", len(seen), n, len(w.records))
	}
	w.wantStored(0, 0)
}

// absentStore is a log that is away at first.
type absentStore struct {
	Store
	mu       sync.Mutex
	failures int
}

func (l *absentStore) Recount(ctx context.Context) (store.Recounted, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures > 0 {
		l.failures--
		return store.Recounted{}, errors.New("away")
	}
	return l.Store.Recount(ctx)
}

func TestRetentionOutlivesErrorsAndEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.died("team/orders", "1")
	w.advance(testRetention + time.Second)
	d := w.retains(&absentStore{Store: w.store, failures: 3})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		d.retainer.loop().run(ctx)
		close(ended)
	}()
	w.want(audit.Expired, 3)
	if got := testutil.ToFloat64(d.core.metrics.redisErrors); got != 3 {
		t.Errorf("%v errors are counted, want 3", got)
	}
	cancel()
	await(t, ended, "the end of the loop")
}

// A dead letter that was revived goes by way of the backlog of its target.
func TestARevivedDeadLetterIsDelivered(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("orders", answering(200))
	w.died(endpoint, "1")
	page, err := w.store.DeadLetters(t.Context(), store.DeadQuery{Endpoint: endpoint})
	if err != nil || len(page.Letters) != 1 {
		t.Fatalf("found %d, %v", len(page.Letters), err)
	}
	if err := w.store.Revive(t.Context(), page.Letters[0]); err != nil {
		t.Fatal(err)
	}
	w.run()
	if r := w.want(audit.Delivered, 1); r.EventID != "1" {
		t.Errorf("the record is %+v", r)
	}
	w.wantStored(0, 0)
}
