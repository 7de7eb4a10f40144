package eventsapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
)

// The bounds of connections.
const (
	headTimeout   = 10 * time.Second // TLS handshakes, too
	maxHead       = 64 << 10
	idleTimeout   = 2 * time.Minute
	pingAfter     = 30 * time.Second // a silent client of HTTP/2 is asked whether it is there
	pingTimeout   = 15 * time.Second
	shutdownGrace = 5 * time.Second
)

// Server serves the API, on every replica of the manager.
type Server struct {
	address string
	options Options
	proxy   *frontProxy
	authz   authorizer
	keeper  *keeper
}

// New returns a server for a manager to start, which listens at an address. Its
// certificate is kept in namespace, where the Service is, too.
func New(mgr ctrl.Manager, address, namespace string, o Options) (*Server, error) {
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	proxy, err := newFrontProxy(clients)
	if err != nil {
		return nil, err
	}
	if o.Endpoints == nil {
		o.Endpoints = mgr.GetClient()
	}
	o.Logger = mgr.GetLogger().WithName("events-api")
	return &Server{
		address: address, options: o, proxy: proxy, authz: newReviewer(clients.AuthorizationV1().SubjectAccessReviews()),
		keeper: &keeper{client: mgr.GetClient(), live: mgr.GetAPIReader(), namespace: namespace, now: time.Now, log: o.Logger},
	}, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Server) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable: it serves until ctx ends.
func (s *Server) Start(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("listen for the events API: %w", err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	running.Go(func() { s.proxy.run(ctx) })
	running.Go(func() { s.keeper.run(ctx) })

	server := s.httpServer(ctx.Done())
	running.Go(func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		_ = server.Shutdown(grace) // what takes longer is cut off
		_ = server.Close()
	})
	s.options.Logger.Info("Serving the events API", "address", listener.Addr().String())
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the events API: %w", err)
	}
	return nil
}

func (s *Server) httpServer(closing <-chan struct{}) *http.Server {
	return &http.Server{
		Handler:           newHandler(s.options, s.proxy, s.authz, closing),
		TLSConfig:         s.proxy.tlsConfig(s.keeper.certificate),
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		ErrorLog:          slog.NewLogLogger(logr.ToSlogHandler(s.options.Logger), slog.LevelDebug),
	}
}
