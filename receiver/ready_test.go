package receiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// scriptedRedis answers as a test wants.
type scriptedRedis struct {
	err   error
	risks []string
}

func (s *scriptedRedis) Ping(ctx context.Context) error { return errors.Join(s.err, ctx.Err()) }

func (s *scriptedRedis) CheckPolicy(context.Context) ([]string, error) { return s.risks, s.err }

func newTestHealth(redis pinger, log io.Writer) *redisHealth {
	return newRedisHealth(redis, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
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
	if reached, err := h.state(); !reached || err != nil {
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
