package deliver

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// commands counts the calls of commands that servers have seen, those of scripts
// included, but not those by which a test looks.
func commands(servers ...*redistest.Server) int {
	total := 0
	for _, s := range servers {
		for line := range strings.SplitSeq(s.Do("INFO commandstats"), "\r\n") {
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
			calls, _, _ := strings.Cut(rest, ",")
			if n, err := strconv.Atoi(calls); err == nil && name != "info" && !strings.HasPrefix(name, "cluster") {
				total += n
			}
		}
	}
	return total
}

// receiver runs a dispatcher with a store of its own, as another process would.
func (w *world) receiver(url string) *store.Store {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Options{URL: url, Patience: store.DefaultPatience})
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := New(Options{
		Store: s, Routes: w, ClusterDomain: "cluster.local", ConnectTo: w.connect, Audit: w,
		Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	w.t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = s.Close()
	})
	return s
}

// A receiver that has nothing to do leaves Redis alone, also while something waits for
// its next attempt, and in a Cluster.
func TestAnIdleReceiverAsksLittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waiting := redistest.Start(t)
	w.store = w.receiver(waiting.URL())
	endpoint := w.target("api", answering(http.StatusOK))
	for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
		_, lease := w.accept(endpoint, id)
		if err := w.store.Retry(t.Context(), lease, w.store.Now().Add(time.Hour), store.Failure{Attempts: 1}); err != nil {
			t.Fatal(err)
		}
	}
	empty := redistest.Start(t)
	w.receiver(empty.URL())
	cluster := redistest.StartCluster(t, 3)
	w.receiver("redis://" + cluster[0].Addr + "?cluster=true")
	installations := map[string]struct {
		servers []*redistest.Server
		most    float64 // commands a second
	}{"empty": {[]*redistest.Server{empty}, 5}, "waiting": {[]*redistest.Server{waiting}, 20}, "cluster": {cluster, 20}}

	// What is measured is that nothing happens: there is no event to wait for.
	const settling, measured = 6 * time.Second, 5 * time.Second
	time.Sleep(settling)
	before, started := map[string]int{}, time.Now()
	for name, i := range installations {
		before[name] = commands(i.servers...)
	}
	time.Sleep(measured)
	for name, i := range installations {
		if rate := float64(commands(i.servers...)-before[name]) / time.Since(started).Seconds(); rate > i.most {
			t.Errorf("%s: %.1f commands a second, want at most %.0f", name, rate, i.most)
		} else {
			t.Logf("%s: %.1f commands a second", name, rate)
		}
	}
}

// What is due is attempted when it is due, though the receiver is idle before: a retry
// of its own, and what another receiver left that is gone.
func TestAnIdleReceiverIsInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arrived := make(chan time.Time, 10)
	answer := answering(http.StatusInternalServerError, http.StatusOK)
	endpoint := w.target("api", func(rw http.ResponseWriter, r *http.Request) {
		arrived <- time.Now()
		answer(rw, r)
	})
	const pause = 3 * time.Second
	w.setRoute(endpoint, func(r *route.Route) {
		r.Delivery.Retry.MinBackoff, r.Delivery.Retry.MaxBackoff = route.Duration(pause), route.Duration(pause)
	})
	server := redistest.Start(t)
	s := w.receiver(server.URL())
	other, err := store.Open(t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	time.Sleep(2 * time.Second) // the receiver has seen that nothing is stored

	w.store = other
	_, lease := w.accept(endpoint, "1")
	due := s.Now().Add(time.Second)
	if err := other.Retry(t.Context(), lease, due, store.Failure{}); err != nil {
		t.Fatal(err)
	}
	first := await(t, arrived, "the attempt of what another receiver left")
	if late := first.Sub(due); late > store.DefaultPatience+2*time.Second {
		t.Errorf("what another receiver left was attempted after %s", late)
	}
	w.want(audit.RetryScheduled, 1)
	second := await(t, arrived, "the retry")
	if waited := second.Sub(first); waited > pause+2*time.Second {
		t.Errorf("the retry came after %s, and was due after %s at most", waited, pause)
	}
	w.want(audit.Delivered, 2)
}
