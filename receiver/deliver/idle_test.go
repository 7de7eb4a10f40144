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
	s, err := store.Open(w.t.Context(), store.Options{URL: url, LookEvery: store.DefaultLookEvery})
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
	empty, waiting, cluster := redistest.Start(t), redistest.Start(t), redistest.StartCluster(t, 3)
	w.keepWaiting(waiting, 6)
	installations := []struct {
		name    string
		url     string
		servers []*redistest.Server
		most    float64 // commands a second
	}{
		{"empty", empty.URL(), []*redistest.Server{empty}, 5},
		{"waiting", waiting.URL(), []*redistest.Server{waiting}, 20},
		{"cluster", cluster[0].URL() + "?cluster=true", cluster, 20},
	}
	for _, i := range installations {
		w.receiver(i.url)
	}
	before := make([]int, len(installations))
	for _, i := range installations {
		// Once, all partitions are looked at, and counted.
		w.eventually(i.name+" was looked at", func() bool { return commands(i.servers...) > 64*(1+1+7) })
	}
	// What is measured is that nothing happens: there is no event to wait for. In a
	// Cluster there is a round of questions each five seconds.
	time.Sleep(2 * time.Second)
	for at, i := range installations {
		before[at] = commands(i.servers...)
	}
	const measured = 4 * time.Second
	time.Sleep(measured)
	for at, i := range installations {
		rate := float64(commands(i.servers...)-before[at]) / measured.Seconds()
		t.Logf("%s: %.1f commands a second", i.name, rate)
		if rate > i.most {
			t.Errorf("%s: %.1f commands a second, want at most %.0f", i.name, rate, i.most)
		}
	}
}

// keepWaiting stores deliveries that wait for their next attempt.
func (w *world) keepWaiting(server *redistest.Server, n int) {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Options{URL: server.URL()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	w.store = s
	endpoint := w.target("api", answering(http.StatusOK))
	for i := range n {
		_, lease := w.accept(endpoint, strconv.Itoa(i))
		if err := s.Retry(w.t.Context(), lease, s.Now().Add(time.Hour), store.Failure{Attempts: 1}); err != nil {
			w.t.Fatal(err)
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
	if late := first.Sub(due); late > store.DefaultLookEvery+2*time.Second {
		t.Errorf("what another receiver left was attempted after %s", late)
	}
	w.want(audit.RetryScheduled, 1)
	second := await(t, arrived, "the retry")
	if waited := second.Sub(first); waited > pause+2*time.Second {
		t.Errorf("the retry came after %s, and was due after %s at most", waited, pause)
	}
	w.want(audit.Delivered, 2)
}
