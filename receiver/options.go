package receiver

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"k8s.io/client-go/rest"

	"sallyport.dev/sallyport/receiver/store"
)

// ErrOptions says that a receiver can't work with its Options, whatever the
// state of what is around it.
var ErrOptions = errors.New("the receiver's options are wrong")

// Options say what a receiver works with. All fields but RedisPasswordFile, RedisTLS, RedisWait,
// JournalRecords, MaxQueuedBytes, DeadLetterRetention, TrustedProxies, ConnectTo and ShutdownDelay are needed.
type Options struct {
	// Listen is the address that senders post to, AdminListen that of /metrics,
	// /healthz and /readyz; both host:port.
	Listen, AdminListen string
	// RedisURL says where events are kept, RedisTLS by which certificates, and
	// RedisWait on how many servers before a sender is told so; see store.Options.
	RedisURL string
	// RedisPasswordFile holds the password instead of RedisURL; empty: the URL has it.
	RedisPasswordFile string

	RedisTLS  store.TLSFiles
	RedisWait store.Wait
	// JournalRecords is how many audit records of each endpoint are kept in Redis, for
	// people to look at; 0: none.
	JournalRecords int
	// MaxQueuedBytes bounds what is stored of each endpoint, see store.AcceptOptions;
	// 0: there is no bound.
	MaxQueuedBytes int64
	// DeadLetterRetention is for how long dead letters are kept; 0: for ever.
	DeadLetterRetention time.Duration
	// RouteNamespace holds the Secrets with the routes, and this receiver's Lease.
	RouteNamespace string
	// ClusterDomain is the DNS domain of the cluster.
	ClusterDomain string
	// TrustedProxies are believed when they say who a client is.
	TrustedProxies TrustedProxies
	// ConnectTo maps "namespace/service:port" to "host:port", instead of DNS.
	ConnectTo map[string]string
	// ShutdownDelay is how long requests are still taken after the end was asked
	// for, while proxies notice that this receiver goes; 0: not at all.
	ShutdownDelay time.Duration
	// ShutdownGrace bounds the shutdown as a whole, once the delay is over.
	ShutdownGrace time.Duration
	// Identity names this receiver among all.
	Identity string
	// Kubernetes says how to reach the API server.
	Kubernetes *rest.Config
	// AuditLog takes one line of JSON per outcome.
	AuditLog io.Writer
	// Log takes operational messages.
	Log *slog.Logger
}
