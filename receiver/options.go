package receiver

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"k8s.io/client-go/rest"

	"sallyport.dev/sallyport/receiver/intake"
	"sallyport.dev/sallyport/receiver/store"
)

// ErrOptions says that a receiver can't work with its Options, even if Redis and the
// API server are well.
var ErrOptions = errors.New("the receiver's options are wrong")

// Options say what a receiver works with. All fields but RedisPasswordFile, RedisTLS, RedisWait,
// JournalRecords, WarningsOnly, MaxConnections, MaxQueuedBytes, DeadLetterRetention, TrustedProxies, ConnectTo and ShutdownDelay are needed.
type Options struct {
	// Listen is the address that senders post to, AdminListen that of /metrics,
	// /healthz and /readyz; both host:port.
	Listen, AdminListen string
	// RedisURL is the Redis that keeps the events; see store.Options.
	RedisURL string
	// RedisPasswordFile holds the password; empty: RedisURL has it.
	RedisPasswordFile string
	// RedisTLS are the certificates for the connections to Redis.
	RedisTLS store.TLSFiles
	// RedisWait is on how many servers an event has to be before its sender gets a 2xx.
	RedisWait store.Wait
	// JournalRecords is how many audit records of each endpoint are kept in Redis, for
	// people to read; 0: none.
	JournalRecords int
	// WarningsOnly makes no Kubernetes Events of what is well.
	WarningsOnly bool
	// MaxConnections bounds the connections of senders, see intake.Connections; 0: there
	// is no bound.
	MaxConnections int
	// MaxQueuedBytes bounds the stored events of each endpoint, see store.AcceptOptions;
	// 0: there is no bound.
	MaxQueuedBytes int64
	// DeadLetterRetention is for how long dead letters are kept; 0: for ever.
	DeadLetterRetention time.Duration
	// RouteNamespace holds the Secrets with the routes, and this receiver's Lease object.
	RouteNamespace string
	// ClusterDomain is the DNS domain of the cluster.
	ClusterDomain string
	// TrustedProxies are the proxies whose X-Forwarded-For counts.
	TrustedProxies intake.TrustedProxies
	// ConnectTo maps "namespace/service:port" to "host:port", instead of DNS.
	ConnectTo map[string]string
	// ShutdownDelay is how long requests are still taken after the receiver was asked to
	// end, so that proxies can notice; 0: not at all.
	ShutdownDelay time.Duration
	// ShutdownGrace bounds the whole shutdown, once the delay is over.
	ShutdownGrace time.Duration
	// Identity names this receiver among all.
	Identity string
	// Kubernetes says how to reach the API server.
	Kubernetes *rest.Config
	// AuditLog takes one line of JSON per outcome.
	AuditLog io.Writer
	// Logger takes operational messages.
	Logger *slog.Logger
}
