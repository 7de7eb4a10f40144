package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

const (
	// pingInterval is the time between two pings of Redis.
	pingInterval = time.Second
	// storeSettles is for how long Redis has to be well before the Lease object says so: one
	// that is full to the brim is full every other second.
	storeSettles = 3 * time.Second
)

// readiness decides whether the Service sends requests to this receiver.
//
// A receiver becomes ready when it has all routes, has written its Lease object, and
// has reached Redis once. So a rollout with a wrong --redis-url stops before it has
// replaced a receiver that works.
//
// A later outage of Redis does not make it unready. All receivers share one Redis, so
// the Service would have none left, and senders would get a connection error or a
// proxy's 502 instead of our 503, which has a Retry-After and an audit record. The
// text of /readyz, the metrics redis_up and redis_full, and the Lease object show the
// outage.
type readiness struct {
	routes       servedRoutes
	heartbeat    *heartbeat
	redis        *redisHealth
	shuttingDown atomic.Bool
}

// check returns why the receiver is not ready, every reason at once; nil if it is.
func (r *readiness) check() error {
	if r.shuttingDown.Load() {
		return errors.New("shutting down")
	}
	var errs []error
	select {
	case <-r.routes.Synced():
		if !r.heartbeat.written.Load() {
			errs = append(errs, errors.New("the Lease is not written yet; see the log"))
		}
	default:
		errs = append(errs, errors.New("the routes are not loaded yet: is the API server reachable, and may this ServiceAccount list Secrets?"))
	}
	if reached, err := r.redis.latest(); !reached {
		errs = append(errs, fmt.Errorf("redis was not reached yet: %w", err))
	}
	return errors.Join(errs...)
}

// serveReady answers /readyz.
func (r *readiness) serveReady(w http.ResponseWriter, _ *http.Request) {
	if err := r.check(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if _, err := r.redis.latest(); err != nil {
		_, _ = fmt.Fprintf(w, "ok, but redis takes nothing: requests wait for it, and are then answered 503: %v\n", err)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// serveHealth answers /healthz. A restart could only help a process that does not
// answer at all.
func serveHealth(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// pinger is the Redis that redisHealth watches; *store.Store is one.
type pinger interface {
	Ping(context.Context) error
	// CheckRoom returns store.ErrFull while Redis is full.
	CheckRoom(context.Context) error
	// CheckPolicy returns a sentence for each setting that may lose events.
	CheckPolicy(context.Context) ([]string, error)
}

// redisHealth asks Redis every second whether it answers, and takes writes.
type redisHealth struct {
	redis  pinger
	logger *slog.Logger
	now    func() time.Time
	up     prometheus.Gauge
	full   prometheus.Gauge
	risks  prometheus.Gauge // settings that may lose events
	// changed holds a token while there is a view that the Lease object may not have.
	changed chan struct{}

	mu      sync.Mutex
	reached bool // at least once
	state   route.StoreState
	err     error
	view    route.StoreView // what the Lease object says
	upSince time.Time       // zero: it is not up
}

func newRedisHealth(redis pinger, now func() time.Time, logger *slog.Logger, registry prometheus.Registerer) *redisHealth {
	auto := promauto.With(registry)
	return &redisHealth{
		redis: redis, logger: logger, now: now, err: errors.New("no answer yet"), changed: make(chan struct{}, 1),
		up: auto.NewGauge(prometheus.GaugeOpts{Name: "sallyport_redis_up", Help: "1 while Redis answers, else 0."}),
		full: auto.NewGauge(prometheus.GaugeOpts{
			Name: "sallyport_redis_full", Help: "1 while Redis answers and has reached its maxmemory, so that it stores nothing, else 0.",
		}),
		risks: auto.NewGauge(prometheus.GaugeOpts{
			Name: "sallyport_redis_risky_settings", Help: "Settings of Redis with which acknowledged events can be lost; the log names them.",
		}),
	}
}

// run pings Redis until ctx ends.
func (h *redisHealth) run(ctx context.Context) {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	for {
		h.ping(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (h *redisHealth) ping(ctx context.Context) {
	at := h.now()
	err := h.redis.Ping(ctx)
	if err == nil {
		err = h.redis.CheckRoom(ctx)
	}
	if ctx.Err() != nil {
		return // the end of this receiver says nothing about Redis
	}
	state := route.StoreUp
	switch {
	case errors.Is(err, store.ErrFull):
		state = route.StoreFull
	case err != nil:
		state = route.StoreAway
	}
	changed := h.note(state, err, at)
	h.up.Set(0)
	h.full.Set(0)
	switch state {
	case route.StoreAway:
		if changed {
			h.logger.Error("redis does not answer; requests wait for it, and then get 503", "error", err)
		}
	case route.StoreFull:
		h.up.Set(1)
		h.full.Set(1)
		if changed {
			h.logger.Error("redis is full; requests get 503 until it has room", "error", err)
		}
	default:
		h.up.Set(1)
		if changed {
			h.logger.Info("redis answers")
			h.warn(ctx)
		}
	}
}

// note takes in what a ping has found, and reports whether it is something new. What is
// bad is told at once, and that it is well again after a while.
func (h *redisHealth) note(state route.StoreState, err error, at time.Time) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed = state != h.state
	h.state, h.err = state, err
	h.reached = h.reached || state != route.StoreAway
	if state != route.StoreUp {
		h.upSince = time.Time{}
		if state != h.view.State {
			h.tell(route.StoreView{State: state, Since: at})
		}
		return changed
	}
	if h.upSince.IsZero() {
		h.upSince = at
	}
	if !h.view.Fails() && h.view.State != state || h.view.Fails() && at.Sub(h.upSince) >= storeSettles {
		h.tell(route.StoreView{State: state, Since: h.upSince})
	}
	return changed
}

// tell needs h.mu.
func (h *redisHealth) tell(view route.StoreView) {
	h.view = view
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// told is what the Lease object is to say.
func (h *redisHealth) told() route.StoreView {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.view
}

// warn logs the settings of Redis with which events can be lost. It is called each
// time that Redis is back, which may be another server after a failover.
func (h *redisHealth) warn(ctx context.Context) {
	risks, err := h.redis.CheckPolicy(ctx)
	if err != nil {
		h.logger.Warn("the settings of redis could not be read", "error", err)
		return
	}
	h.risks.Set(float64(len(risks)))
	for _, risk := range risks {
		h.logger.Error("acknowledged events can be lost", "risk", risk)
	}
}

// latest reports whether Redis was ever reached, and the latest error.
func (h *redisHealth) latest() (reached bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reached, h.err
}
