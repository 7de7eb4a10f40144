package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxFollowed bounds the journals that one call follows: 256 endpoints have two each.
	maxFollowed = 512
	// followBatch bounds the records of one endpoint that one call returns.
	followBatch = 256
	// maxFollowers bounds the connections that wait for records in Redis. Callers
	// beyond it poll.
	maxFollowers = 64
	// followTurn is how long one command waits: a caller that gives up is noticed no
	// later.
	followTurn = time.Second
	// followPoll is the time between two looks of those who can't wait in Redis.
	// Records are written some times a second, so that it delays them little.
	followPoll = 100 * time.Millisecond
)

// ErrTooManyEndpoints says that so many can't be followed by one call.
var ErrTooManyEndpoints = fmt.Errorf("the records of at most %d endpoints can be followed at a time", maxFollowed/2)

// FollowJournal returns the records of journals that came after an id of each, the
// oldest first, as soon as there is one; without an id, all that are kept. It waits
// up to wait, and then returns none. Of what was written since the ids, it returns
// the oldest 256 records of each journal: ask again from there.
//
// The error is ErrTooManyEndpoints beyond 512 journals, or ErrUnavailable, also if ctx ended.
func (s *Store) FollowJournal(ctx context.Context, endpoints []string, after map[string]string, wait time.Duration) (map[string][]JournalRecord, error) {
	if len(endpoints) > maxFollowed {
		return nil, ErrTooManyEndpoints
	}
	f := s.newFollower(endpoints, after)
	defer f.release()
	deadline := time.Now().Add(wait)
	for {
		rest := time.Until(deadline)
		found, err := f.look(ctx, min(rest, followTurn))
		if err != nil {
			return nil, classify("follow audit records", err)
		}
		if len(found) > 0 || rest <= 0 {
			return found, nil
		}
	}
}

// follower reads several streams. Redis can wait for those that are in one slot,
// and without a Cluster for all.
type follower struct {
	store     *Store
	endpoints map[string]string // by stream
	groups    [][]string        // names, then ids: streams that can be read by one command
	blocking  bool              // it holds one of maxFollowers connections
}

func (s *Store) newFollower(endpoints []string, after map[string]string) *follower {
	f := &follower{store: s, endpoints: map[string]string{}}
	_, cluster := s.client.(*redis.ClusterClient)
	streams, ids := map[int][]string{}, map[int][]string{}
	for _, endpoint := range endpoints {
		stream, slot := journalName(endpoint), 0
		if cluster {
			slot = endpointPartition(endpoint)
		}
		if _, twice := f.endpoints[stream]; twice {
			continue
		}
		f.endpoints[stream] = endpoint
		id := after[endpoint]
		if id == "" {
			id = journalStart
		}
		streams[slot], ids[slot] = append(streams[slot], stream), append(ids[slot], id)
	}
	for slot := range streams {
		f.groups = append(f.groups, append(streams[slot], ids[slot]...))
	}
	if len(f.groups) == 1 {
		f.blocking = s.followers.Add(1) <= maxFollowers
		if !f.blocking {
			s.followers.Add(-1)
		}
	}
	return f
}

func (f *follower) release() {
	if f.blocking {
		f.store.followers.Add(-1)
	}
}

// look returns what there is, and waits for it.
func (f *follower) look(ctx context.Context, wait time.Duration) (map[string][]JournalRecord, error) {
	if f.blocking && wait >= time.Millisecond { // 0 would mean for ever
		return f.read(ctx, wait)
	}
	found, err := f.read(ctx, -1)
	if err != nil || len(found) > 0 || wait <= 0 {
		return found, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(min(wait, followPoll)):
		return nil, nil
	}
}

// read asks for all groups in one round trip; block must be -1 if there are several.
func (f *follower) read(ctx context.Context, block time.Duration) (map[string][]JournalRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, max(block, 0)+f.store.timeout)
	defer cancel()
	replies := make([]*redis.XStreamSliceCmd, 0, len(f.groups))
	if block >= 0 {
		replies = append(replies, f.store.client.XRead(ctx, f.command(0, block)))
	} else if _, err := f.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range f.groups {
			replies = append(replies, pipe.XRead(ctx, f.command(i, block)))
		}
		return nil
	}); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	found := map[string][]JournalRecord{}
	for _, reply := range replies {
		streams, err := reply.Result()
		if err != nil && !errors.Is(err, redis.Nil) { // which says that there is nothing new
			return nil, err
		}
		for _, stream := range streams {
			found[f.endpoints[stream.Stream]] = recordsOf(stream.Messages)
		}
	}
	return found, nil
}

func (f *follower) command(group int, block time.Duration) *redis.XReadArgs {
	return &redis.XReadArgs{Streams: f.groups[group], Count: followBatch, Block: block}
}
