package deliver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/store"
)

// fullStore is a log whose Redis is as full, and whose clock as wrong, as a test says.
type fullStore struct {
	Store
	memory  store.Memory
	err     error
	skew    time.Duration
	missing store.Missing
}

func (l *fullStore) Measure(context.Context) (store.Memory, error) { return l.memory, l.err }
func (l *fullStore) Measures() store.Measures                      { return l.memory.Measures() }
func (l *fullStore) Skew() time.Duration                           { return l.skew }
func (l *fullStore) TakeMissing() store.Missing                    { return l.missing }

// gaugeOf returns the gauge of a dispatcher, and what it logs.
func gaugeOf(t *testing.T, l *fullStore, maxQueued int64) (*gauge, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	w := &world{t: t}
	d, err := New(Options{Store: l, Routes: w, Audit: w, MaxQueuedBytes: maxQueued,
		Registry: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return newGauge(d.core), log
}

// says wants one measurement to log certain words, and each of them once; "" is nothing.
func says(t *testing.T, g *gauge, log *bytes.Buffer, want string) {
	t.Helper()
	log.Reset()
	for range 2 {
		if _, err := g.measure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := log.String(); want == "" && got != "" || strings.Count(got, "\n") > 1 || !strings.Contains(got, want) {
		t.Errorf("the log says %q, want %q once", got, want)
	}
}

func TestWhatRedisHasNoRoomForIsSaid(t *testing.T) {
	l := &fullStore{memory: store.Memory{Used: 1, Max: 1 << 30, Servers: 1}}
	g, log := gaugeOf(t, l, store.DefaultMaxQueuedBytes)
	says(t, g, log, "") // the default is lowered without a word
	if got := testutil.ToFloat64(g.metrics.bound); got != 1<<28 {
		t.Errorf("the bound is %v, want a quarter of maxmemory", got)
	}
	l.memory.Used = 1 << 30 / 4 * 3
	says(t, g, log, "audit records")
	l.memory.Used = 1 << 30
	says(t, g, log, "remembered")
	if ratio, window := testutil.ToFloat64(g.metrics.memory), testutil.ToFloat64(g.metrics.window); ratio != 1 || window != 0.25 {
		t.Errorf("the metrics say %v and %v", ratio, window)
	}

	g, log = gaugeOf(t, &fullStore{memory: store.Memory{Used: 1, Max: 1 << 30, Servers: 1}}, 1<<29)
	says(t, g, log, "--max-queued-bytes is more than redis has room for")
	g, log = gaugeOf(t, &fullStore{memory: store.Memory{Used: 1, Max: 1 << 30, Servers: 1}}, 0)
	says(t, g, log, "--max-queued-bytes is more than redis has room for")
	g, log = gaugeOf(t, &fullStore{memory: store.Memory{Used: 1, Max: 1 << 30, Servers: 1}}, 1<<20)
	says(t, g, log, "")
	g, log = gaugeOf(t, &fullStore{memory: store.Memory{Used: 1}}, 1<<20) // no maxmemory
	says(t, g, log, "")
	g, log = gaugeOf(t, &fullStore{err: store.ErrMemoryUnknown}, 1<<20)
	says(t, g, log, "allow INFO")

	g, _ = gaugeOf(t, &fullStore{err: store.ErrUnavailable}, 1<<20)
	if _, err := g.measure(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}

func TestClocksThatDifferAreReported(t *testing.T) {
	l := &fullStore{skew: time.Minute}
	g, log := gaugeOf(t, l, 0)
	says(t, g, log, "")
	l.skew = -time.Hour
	says(t, g, log, "clocks of redis and of this receiver differ")
	if got := testutil.ToFloat64(g.metrics.skew); got != -3600 {
		t.Errorf("the metric says %v", got)
	}
	l.skew = 0
	says(t, g, log, "agree again")
}

func TestMissingEventsAreCountedAndLogged(t *testing.T) {
	l := &fullStore{missing: store.Missing{Count: 2, Deliveries: []string{"abc/", "abc/invoices"}}}
	g, log := gaugeOf(t, l, 0)
	g.reportMissing()
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "abc/invoices") {
		t.Errorf("the log says %q", got)
	}
	l.missing = store.Missing{}
	g.reportMissing()
	if got := testutil.ToFloat64(g.metrics.missing); got != 2 {
		t.Errorf("%v are counted", got)
	}
}

// What can't be taken back is not done while the clocks disagree about the time.
func TestNothingExpiresByAClockThatIsDoubted(t *testing.T) {
	w := newWorld(t)
	endpoint := w.target("orders", answering(200))
	w.died(endpoint, "dead")
	w.advance(testRetention + time.Hour)
	d := w.retains(doubtingStore{w.store, 2 * time.Hour})
	if _, err := d.retainer.retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantStored(0, 1)
	d = w.retains(doubtingStore{w.store, time.Minute})
	if _, err := d.retainer.retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantStored(0, 0)
}

// doubtingStore is a log that is certain of an earlier time only.
type doubtingStore struct {
	Store
	doubt time.Duration
}

func (l doubtingStore) CertainNow() time.Time { return l.Now().Add(-l.doubt) }
