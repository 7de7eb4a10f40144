package receiver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestReadiness(t *testing.T) {
	routes := newScriptedRoutes()
	var redisErr error
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "up"})
	ready := &readiness{
		routes: routes,
		lease:  &leaseKeeper{},
		redis:  newRedisHealth(func(context.Context) error { return redisErr }, slog.New(slog.DiscardHandler), up),
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
	ready.lease.held.Store(true)
	expect(503, "redis")
	redisErr = errors.New("connection refused")
	ready.redis.look(t.Context())
	expect(503, "connection refused")
	redisErr = nil
	ready.redis.look(t.Context())
	expect(200, "ok")
	if testutil.ToFloat64(up) != 1 {
		t.Error("the metric does not say that Redis is up")
	}

	redisErr = errors.New("connection refused")
	ready.redis.look(t.Context())
	expect(200, "connection refused") // see the type's comment
	if testutil.ToFloat64(up) != 0 {
		t.Error("the metric does not say that Redis is down")
	}
	ready.draining.Store(true)
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
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "up"})
	h := newRedisHealth(func(ctx context.Context) error { return ctx.Err() }, slog.New(slog.DiscardHandler), up)
	h.look(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.run(ctx)
	if reached, err := h.state(); !reached || err != nil {
		t.Errorf("the state is %v, %v", reached, err)
	}
}
