package deliver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// Lease is for how long a receiver owns a delivery that it took. It is renewed
// before an attempt that might last longer.
const Lease = 30 * time.Second

// Store is the part of the write-ahead log that deliveries need; *store.Store is
// one.
type Store interface {
	Now() time.Time
	CertainNow() time.Time
	Skew() time.Duration
	Measure(context.Context) (store.Memory, error)
	Measures() store.Measures
	TakeMissing() store.Missing
	Claim(context.Context, store.ClaimOptions) (store.Claimed, error)
	Delivered(context.Context, store.Lease) error
	Retry(context.Context, store.Lease, time.Time, store.Failure) error
	DeadLetter(context.Context, store.Lease, store.Failure) error
	Renew(context.Context, store.Lease, time.Duration) (store.Lease, error)
	Hold(ctx context.Context, l store.Lease, endpoint string, since time.Time) error
	Backlogs(context.Context) ([]store.Backlog, error)
	Refill(context.Context, store.Backlog, store.RefillOptions) (store.Claimed, error)
	Skip(context.Context, []store.Backlog) error
	Release(context.Context, store.Lease) error
	Stats(context.Context) (store.Stats, error)
	Recount(context.Context) (store.Recounted, error)
	ExpiredDeadLetters(ctx context.Context, before time.Time, most int) ([]store.DeadLetter, error)
	Purge(context.Context, store.DeadLetter) error
}

// Routes finds the route of an endpoint, "namespace/name".
type Routes interface {
	Route(endpoint string) (route.Route, bool)
	// Signer signs what its senders sent anew; it is never nil.
	Signer(endpoint string) Signer
}

// Signer signs requests of an endpoint anew.
type Signer = route.Signer

// Options say how to deliver.
type Options struct {
	// Store is the write-ahead log.
	Store Store
	// Routes are the routes that are served now.
	Routes Routes
	// ClusterDomain is the DNS domain of the cluster, for example cluster.local.
	ClusterDomain string
	// ConnectTo maps "namespace/service:port" to host:port, instead of DNS.
	ConnectTo Connections
	// MaxQueuedBytes is what was asked for as the bound of each endpoint, which Redis's memory
	// may not allow; 0: no bound.
	MaxQueuedBytes int64
	// DeadLetterRetention is for how long dead letters are kept; 0: for ever.
	DeadLetterRetention time.Duration
	// Audit gets a record per outcome.
	Audit audit.Sink
	// Registry gets the metrics.
	Registry prometheus.Registerer
	// Logger gets what went wrong on our own side.
	Logger *slog.Logger

	// RetentionEvery replaces the time between two looks for what has to go, for tests;
	// 0: a minute.
	RetentionEvery time.Duration
	// Lease replaces the constant Lease, for tests; 0: Lease.
	Lease time.Duration
	// Transport replaces NewTransport, for tests; nil: that.
	Transport http.RoundTripper
}

func (o *Options) setDefaults() error {
	if o.Store == nil || o.Routes == nil || o.Audit == nil || o.Registry == nil || o.Logger == nil {
		return errors.New("deliver: Store, Routes, Audit, Registry and Logger are needed")
	}
	if o.Lease <= 0 {
		o.Lease = Lease
	}
	if o.RetentionEvery <= 0 {
		o.RetentionEvery = retentionEvery
	}
	if o.Transport == nil {
		o.Transport = NewTransport(o.ClusterDomain, o.ConnectTo)
	}
	return nil
}
