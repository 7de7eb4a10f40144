package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Store is the write-ahead log. It is safe for concurrent use. Each method that
// talks to Redis returns within Options.Timeout, whatever its context allows;
// Accept may take longer by what Options.Wait says, it and Begin by their Patience, and what
// takes or returns large events by a second for each 4 MiB.
type Store struct {
	client   redis.UniversalClient
	large    redis.UniversalClient // for commands and replies above largeBytes
	pipeline *redis.AutoPipeliner  // nil for a Cluster, whose servers have one each
	// confirmer and largeConfirmer are nil if nothing is waited for.
	confirmer, largeConfirmer *confirmer
	wait                      Wait
	timeout                   time.Duration
	clock                     *clock
	leases                    atomic.Uint64 // see leaseEnd
	turn                      atomic.Uint32 // the partition at which the next Claim starts
	counted                   counted
	outlook                   *outlook
	followers                 atomic.Int32 // those that wait for records in Redis, see FollowJournal
	// journalRecords is how many are kept of each endpoint, if there is room.
	journalRecords int64
	endpoints      func() int // whose records are kept; nil: not known
	memory         memory
	rooms          rooms
	missing        missing
}

// Open makes a Store. It does not wait for Redis: while that is away each
// method returns ErrUnavailable, and Ping says whether it is back. The error is
// about the options, or it is ErrUnsupported from a Redis that answers but can't
// do what Options.Wait asks for. The caller closes the Store; ctx bounds nothing else
// than the first measurement of the server's clock.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if err := o.Wait.validate(); err != nil {
		return nil, err
	}
	client, large, err := newClients(o)
	if err != nil {
		return nil, err
	}
	pipeline, err := client.AsyncAutoPipelineWithOptions(pipelineOptions())
	if err != nil {
		_, _ = client.Close(), large.Close()
		return nil, fmt.Errorf("set up pipelining to redis: %w", err)
	}
	s := &Store{client: client, large: large, pipeline: pipeline, wait: o.Wait, timeout: o.Timeout, journalRecords: int64(cmp.Or(o.JournalRecords, DefaultJournalRecords)), endpoints: o.Endpoints}
	s.outlook = newOutlook(o.LookEvery)
	s.leases.Store(rand.Uint64()) //nolint:gosec // tells receivers apart and keeps no secret
	s.clock = startClock(ctx, client, o)
	if o.Wait.enabled() {
		s.confirmer, s.largeConfirmer = newConfirmer(client, o), newConfirmer(large, o)
		if err := s.Ping(ctx); errors.Is(err, ErrUnsupported) {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close waits for the scripts that were queued, then closes the connections.
func (s *Store) Close() error {
	s.clock.stop()
	if s.confirmer != nil {
		s.confirmer.running.Wait()
		s.largeConfirmer.running.Wait()
	}
	if err := errors.Join(s.client.Close(), s.large.Close()); err != nil {
		return fmt.Errorf("close the redis client: %w", err)
	}
	return nil
}

// Ping reports whether Redis answers now, and can do what Options.Wait asks for.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.client.Ping(ctx).Err()
	if err == nil && s.confirmer != nil {
		err = s.confirmer.probe(ctx)
	}
	return classify("ping redis", err)
}

// Now is the time by which leases end and attempts are due: that of the Redis
// server as far as it is known. Compute the times given to Retry from
// it.
func (s *Store) Now() time.Time { return s.clock.now() }

// CertainNow is Now, or an earlier time if the clocks disagree about it. What can't be
// taken back is judged by it: whether a lease is over, and what is too old.
func (s *Store) CertainNow() time.Time { return s.clock.certain() }

// Skew is by how much the clock of the Redis server was ahead of the local one when it
// was read last.
func (s *Store) Skew() time.Duration { return time.Duration(s.clock.read.Load()) }

// leaseEnd returns now+d in microseconds. The last three digits are no time but
// a counter that starts anywhere, so that leases that end in one millisecond
// still differ: the end is the lease's fencing token (see doc.go).
func (s *Store) leaseEnd(now time.Time, d time.Duration) int64 {
	return now.Add(d).UnixMilli()*1000 + int64(s.leases.Add(1)%1000)
}
