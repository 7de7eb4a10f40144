package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Store is the write-ahead log. It is safe for concurrent use. Each method that
// talks to Redis returns within Options.Timeout, whatever its context allows.
type Store struct {
	client   redis.UniversalClient
	pipeline *redis.AutoPipeliner
	timeout  time.Duration
	clock    *clock
	leases   atomic.Uint64 // see leaseEnd
	turn     atomic.Uint32 // the partition at which the next Claim starts
}

// Open makes a Store. It does not wait for Redis: while that is away each
// method returns ErrUnavailable, and Ping says whether it is back. The error is
// about the options alone. The caller closes the Store; ctx bounds nothing else
// than the first measurement of the server's clock.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	client, err := newClient(o)
	if err != nil {
		return nil, err
	}
	pipeline, err := client.AsyncAutoPipelineWithOptions(pipelineOptions())
	if err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("set up pipelining to redis: %w", err)
	}
	s := &Store{client: client, pipeline: pipeline, timeout: o.Timeout}
	s.leases.Store(rand.Uint64()) //nolint:gosec // tells receivers apart and keeps no secret
	s.clock = startClock(ctx, client, o)
	return s, nil
}

// Close waits for the scripts that were queued, then closes the connections.
func (s *Store) Close() error {
	s.clock.stop()
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("close the redis client: %w", err)
	}
	return nil
}

// Ping reports whether Redis answers now.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return classify("ping redis", s.client.Ping(ctx).Err())
}

// Now is the time by which leases end and attempts are due: that of the Redis
// server as far as it is known. Compute the times given to Retry and Postpone
// from it.
func (s *Store) Now() time.Time { return s.clock.now() }

// leaseEnd returns now+d in microseconds. The last three digits are no time but
// a counter that starts anywhere, so that leases that end in one millisecond
// still differ: the end is the lease's fencing token (see doc.go).
func (s *Store) leaseEnd(now time.Time, d time.Duration) int64 {
	return now.Add(d).UnixMilli()*1000 + int64(s.leases.Add(1)%1000)
}
