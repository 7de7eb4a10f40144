package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// DefaultTimeout bounds every operation of a Store.
const DefaultTimeout = 2 * time.Second

// Options say how to reach Redis.
type Options struct {
	// URL is redis://[user:password@]host[:port][/db], rediss://... for TLS, or
	// unix:///path. With ?master_name=NAME the host is a Sentinel, the user and
	// password before it are the Sentinels', and those of Redis follow as
	// &username=...&password=...; with ?cluster=true it is a node of a Redis
	// Cluster. Further Sentinels or nodes follow as &addr=host:port. With TLS,
	// &server_name=NAME is the name that every server's certificate must have,
	// instead of the one that it is dialled by. What the URL holds is never part
	// of an error.
	URL string
	// PasswordFile holds the password instead of the URL; empty: the URL has it. It is
	// read for each connection, so that the password can be changed; one newline at its
	// end is not part of it.
	PasswordFile string
	// TLS names the files for a rediss:// URL.
	TLS TLSFiles
	// Wait says how many servers must have an event before Accept vouches for it.
	Wait Wait
	// JournalRecords is how many audit records are kept of each endpoint, at the
	// least; 0: DefaultJournalRecords.
	JournalRecords int
	// Endpoints returns how many endpoints there are, whose audit records share a part of
	// Redis's memory; nil: not known, and so they are bounded by JournalRecords only.
	Endpoints func() int
	// Timeout bounds one operation; 0: DefaultTimeout. What Wait allows comes on
	// top, for Accept, and what large events take to go over the network.
	Timeout time.Duration
	// LookEvery is for how long a look at what is due or held may rely on an earlier one
	// about what other processes write; 0: not at all. See DefaultLookEvery.
	LookEvery time.Duration
	// Clock replaces the time of the Redis server, for tests; nil: the local
	// clock, corrected by its measured difference to the Redis server's.
	Clock func() time.Time
}

// errURL never wraps what net/url says: that quotes the URL, password included.
var errURL = errors.New("the redis URL is not valid: write redis://, rediss:// or unix://, then host:port or a path")

// newClients make clients for a standalone server, Sentinels or a cluster: one for
// all, and one for what is large. They don't connect.
func newClients(o Options) (client, large redis.UniversalClient, err error) {
	universal, err := clientOptions(o)
	if err != nil {
		return nil, nil, err
	}
	client = redis.NewUniversalClient(universal)
	forLarge(universal)
	return client, redis.NewUniversalClient(universal), nil
}

func clientOptions(o Options) (*redis.UniversalOptions, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errURL
	}
	universal, err := universalOptions(u)
	if err != nil {
		return nil, err
	}
	if err := o.TLS.apply(universal.TLSConfig); err != nil {
		return nil, err
	}
	if o.PasswordFile != "" {
		if _, err := readPassword(o.PasswordFile); err != nil {
			return nil, err
		}
		universal.CredentialsProviderContext = passwordOf(universal.Username, o.PasswordFile)
	}
	setTimeouts(universal, o.Timeout)
	universal.ReadTimeout += o.Wait.longest()
	silence()
	return universal, nil
}

// passwordOf gives each new connection the password that is in the file by then.
func passwordOf(user, file string) func(context.Context) (string, string, error) {
	return func(context.Context) (string, string, error) {
		password, err := readPassword(file)
		return user, password, err
	}
}

func readPassword(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the password of redis: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" {
		return "", fmt.Errorf("read the password of redis: %s is empty", file)
	}
	return password, nil
}

// silence turns off the client's own log, which is one for the whole process:
// it writes plain text about errors that the store returns anyway.
var silence = sync.OnceFunc(func() { redis.SetLogger(noLog{}) })

type noLog struct{}

// Printf implements the client's logging interface.
func (noLog) Printf(context.Context, string, ...any) {}

// universalOptions reads the URL by the client's own parser for the kind of
// installation, and keeps what the store does not decide itself.
func universalOptions(u *url.URL) (*redis.UniversalOptions, error) {
	query := u.Query()
	cluster, serverName := query.Get("cluster") == "true", query.Get("server_name")
	query.Del("cluster")
	query.Del("server_name")
	bare := *u
	bare.RawQuery = query.Encode()
	switch {
	case query.Has("master_name"):
		o, err := redis.ParseFailoverURL(bare.String())
		if err != nil {
			return nil, errURL
		}
		return &redis.UniversalOptions{Addrs: o.SentinelAddrs, MasterName: o.MasterName, DB: o.DB,
			Username: o.Username, Password: o.Password, SentinelUsername: o.SentinelUsername,
			SentinelPassword: o.SentinelPassword, TLSConfig: namedTLS(o.TLSConfig, serverName)}, nil
	case cluster:
		o, err := redis.ParseClusterURL(bare.String())
		if err != nil {
			return nil, errURL
		}
		return &redis.UniversalOptions{Addrs: o.Addrs, IsClusterMode: true,
			Username: o.Username, Password: o.Password, TLSConfig: namedTLS(o.TLSConfig, serverName)}, nil
	default:
		o, err := redis.ParseURL(bare.String())
		if err != nil {
			return nil, errURL
		}
		return &redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB,
			Username: o.Username, Password: o.Password, TLSConfig: namedTLS(o.TLSConfig, serverName)}, nil
	}
}

// setTimeouts bounds every step of a call, so that an unreachable Redis is an
// error soon: one attempt to dial and one repeat of a command. A command may be
// repeated because every script recognises its own earlier run (see doc.go).
func setTimeouts(o *redis.UniversalOptions, timeout time.Duration) {
	o.DialTimeout = timeout / 2
	o.DialerRetries = 1
	o.ReadTimeout = timeout
	o.WriteTimeout = timeout
	o.PoolTimeout = timeout
	// Followers of records hold connections while they wait. These come on top of
	// the client's own default, so that nobody waits for them.
	o.PoolSize = 10*runtime.GOMAXPROCS(0) + maxFollowers
	o.MaxRetries = 1
	o.MinRetryBackoff = 10 * time.Millisecond
	o.MaxRetryBackoff = 50 * time.Millisecond
	o.ContextTimeoutEnabled = true
	// CLIENT SETINFO and CLIENT MAINT_NOTIFICATIONS: not known to every compatible
	// server, nor allowed to every user.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// maxQueued bounds the scripts that wait for Redis, and with them the bodies
// held in memory while it does not answer.
const maxQueued = 8192

func pipelineOptions() *redis.AutoPipelineOptions {
	return &redis.AutoPipelineOptions{MaxBatchSize: 300, MaxConcurrentBatches: 1, MaxQueuedCommands: maxQueued}
}
