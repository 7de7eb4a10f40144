package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The bounds of requests of probes and of Prometheus.
const (
	adminTimeout     = 10 * time.Second
	adminIdleTimeout = 120 * time.Second
	adminHeaderBytes = 32 << 10
)

// server is an HTTP server that listens.
type server struct {
	http     *http.Server
	listener net.Listener
	failed   chan error // holds at most one error
}

// listen opens address. Requests wait until serve is called.
func listen(address string, s *http.Server, logger *slog.Logger) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("can't listen on %s: %w", address, err)
	}
	s.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	return &server{http: s, listener: listener, failed: make(chan error, 1)}, nil
}

// serve answers requests in the background, until shutdown or an error.
func (s *server) serve() {
	go func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("the server on %s ended: %w", s.listener.Addr(), err)
		}
	}()
}

// shutdown takes no new requests and waits for those in flight. When ctx ends
// first, their connections are cut; the senders will send again.
func (s *server) shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were still in flight on %s: %w", s.listener.Addr(), err), s.http.Close())
	}
	return nil
}

// adminServer faces the kubelet and Prometheus. It is not for the Internet.
func adminServer(ready *readiness, metrics prometheus.Gatherer) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serveHealth)
	mux.HandleFunc("GET /readyz", ready.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Timeout: adminTimeout}))
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: adminTimeout,
		ReadTimeout:       adminTimeout,
		WriteTimeout:      2 * adminTimeout,
		IdleTimeout:       adminIdleTimeout,
		MaxHeaderBytes:    adminHeaderBytes,
	}
}
