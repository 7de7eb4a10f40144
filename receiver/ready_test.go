package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// scriptedRedis answers as a test wants.
type scriptedRedis struct {
	err   error
	full  bool
	risks []string
}

func (s *scriptedRedis) Ping(ctx context.Context) error { return errors.Join(s.err, ctx.Err()) }

func (s *scriptedRedis) CheckRoom(context.Context) error {
	if s.full {
		return fmt.Errorf("find out: %w", store.ErrFull)
	}
	return nil
}

func (s *scriptedRedis) CheckPolicy(context.Context) ([]string, error) { return s.risks, s.err }

func newTestHealth(redis pinger, log io.Writer) *redisHealth {
	return newRedisHealth(redis, time.Now, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
}

func TestReadiness(t *testing.T) {
	routes, redis := newScriptedRoutes(), &scriptedRedis{}
	ready := &readiness{
		routes:    routes,
		heartbeat: &heartbeat{},
		redis:     newTestHealth(redis, io.Discard),
	}
	admin := adminServer(ready, prometheus.NewRegistry()).Handler
	expect := func(status int, words ...string) {
		t.Helper()
		answer := httptest.NewRecorder()
		admin.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if answer.Code != status {
			t.Errorf("/readyz answers %d %q, want %d", answer.Code, answer.Body, status)
		}
		for _, word := range words {
			if !strings.Contains(answer.Body.String(), word) {
				t.Errorf("/readyz does not name %q: %q", word, answer.Body)
			}
		}
	}

	expect(503, "routes", "redis")
	close(routes.synced)
	expect(503, "Lease", "redis")
	ready.heartbeat.written.Store(true)
	expect(503, "redis")
	redis.err = errors.New("connection refused")
	ready.redis.ping(t.Context())
	expect(503, "connection refused")
	redis.err = nil
	ready.redis.ping(t.Context())
	expect(200, "ok")
	if testutil.ToFloat64(ready.redis.up) != 1 {
		t.Error("the metric does not say that Redis is up")
	}

	redis.err = errors.New("connection refused")
	ready.redis.ping(t.Context())
	expect(200, "connection refused") // see the type's comment
	if testutil.ToFloat64(ready.redis.up) != 0 {
		t.Error("the metric does not say that Redis is down")
	}
	redis.err, redis.full = nil, true
	ready.redis.ping(t.Context())
	expect(200, "redis is full")
	if testutil.ToFloat64(ready.redis.up) != 1 || testutil.ToFloat64(ready.redis.full) != 1 {
		t.Error("the metrics do not say that Redis is up, and full")
	}
	ready.shuttingDown.Store(true)
	expect(503, "shutting down")

	answer := httptest.NewRecorder()
	admin.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if answer.Code != 200 {
		t.Errorf("/healthz answers %d", answer.Code)
	}
	answer = httptest.NewRecorder()
	admin.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil))
	if answer.Code != 404 {
		t.Errorf("/debug/pprof/ answers %d", answer.Code)
	}
}

func TestEndOfTheReceiverSaysNothingAboutRedis(t *testing.T) {
	h := newTestHealth(&scriptedRedis{}, io.Discard)
	h.ping(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.run(ctx)
	if reached, err := h.latest(); !reached || err != nil {
		t.Errorf("the state is %v, %v", reached, err)
	}
}

func TestRiskySettingsOfRedisAreSaidLoudlyEachTimeItComesBack(t *testing.T) {
	var log bytes.Buffer
	redis := &scriptedRedis{risks: []string{"maxmemory-policy is allkeys-lru", "appendonly is no"}}
	h := newTestHealth(redis, &log)
	for _, err := range []error{nil, nil, errors.New("away"), nil} {
		redis.err = err
		h.ping(t.Context())
	}
	if n := strings.Count(log.String(), "allkeys-lru"); n != 2 || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("the log names the risk %d times, want 2:\n%s", n, &log)
	}
	if got := testutil.ToFloat64(h.risks); got != 2 {
		t.Errorf("the metric says that there are %v risks, want 2", got)
	}
}

// What is bad is told at once, and that it is well again once it has been for a while.
func TestWhatTheLeaseSaysOfRedis(t *testing.T) {
	redis := &scriptedRedis{}
	h := newTestHealth(redis, io.Discard)
	start := time.Unix(1780000000, 0)
	now := start
	h.now = func() time.Time { return now }
	if view := h.told(); view.State != "" {
		t.Errorf("before the first answer, %v is told", view)
	}
	away := errors.New("connection refused")
	for _, step := range []struct {
		at    int // seconds
		err   error
		full  bool
		state route.StoreState
		since int
		news  bool
	}{
		{0, nil, false, route.StoreUp, 0, true},
		{1, nil, false, route.StoreUp, 0, false},
		{2, away, false, route.StoreAway, 2, true},
		{3, away, false, route.StoreAway, 2, false},
		{4, nil, true, route.StoreFull, 4, true},
		{5, nil, false, route.StoreFull, 4, false},
		{7, nil, false, route.StoreFull, 4, false},
		{8, nil, false, route.StoreUp, 5, true},
		{9, nil, true, route.StoreFull, 9, true},
		{10, nil, false, route.StoreFull, 9, false},
		{12, nil, true, route.StoreFull, 9, false},
		{14, nil, false, route.StoreFull, 9, false},
		{17, nil, false, route.StoreUp, 14, true},
	} {
		now, redis.err, redis.full = start.Add(time.Duration(step.at)*time.Second), step.err, step.full
		h.ping(t.Context())
		want := route.StoreView{State: step.state, Since: start.Add(time.Duration(step.since) * time.Second)}
		if got := h.told(); got != want {
			t.Errorf("after %d s %v is told, want %v", step.at, got, want)
		}
		news := len(h.changed) == 1
		if news {
			<-h.changed
		}
		if news != step.news {
			t.Errorf("after %d s the Lease is written at once: %t", step.at, news)
		}
	}
}
