package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrPartly comes with the result of an operation on all partitions when some servers
// of a Cluster did not answer: the result is right of all others.
var ErrPartly = errors.New("some servers of the cluster did not answer; the others did")

// latecomers is how much longer than the first server the others may take for a look at
// all partitions. One that hangs must not hold up what is done with the others.
const latecomers = 500 * time.Millisecond

// submit runs a script with those that concurrent callers have for the same server. In
// a Cluster each server has a pipeline of its own, so that one that hangs holds up no
// script of another. Such a pipeline follows no redirection: what has moved goes by
// itself.
func (s *Store) submit(ctx context.Context, cmd *redis.Cmd, key string) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pipeline, cluster, err := s.pipelineOf(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := pipeline.Submit(ctx, cmd).WaitContext(ctx); err != nil {
		full := errors.Is(err, redis.ErrAutoPipelineQueueFull) // it hangs
		if cluster != nil && ctx.Err() == nil && !full && isElsewhere(err) {
			cluster.ReloadState(ctx)
			return cluster.Do(ctx, cmd.Args()...).Result()
		}
		return nil, err
	}
	return cmd.Result()
}

// pipelineOf returns the pipeline of the server that has a key, and the client of the
// Cluster if it is one.
func (s *Store) pipelineOf(ctx context.Context, key string) (*redis.AutoPipeliner, *redis.ClusterClient, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return s.pipeline, nil, nil
	}
	server, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	pipeline, err := server.AsyncAutoPipelineWithOptions(pipelineOptions())
	if err != nil { // a server that has left the Cluster a moment ago
		cluster.ReloadState(ctx)
	}
	return pipeline, cluster, err
}

// isElsewhere reports whether another server of a Cluster may be the right one by now:
// it was said so, or nobody answered.
func isElsewhere(err error) bool {
	_, moved := redis.IsMovedError(err)
	_, asked := redis.IsAskError(err)
	_, answered := errors.AsType[redis.Error](err)
	return moved || asked || !answered || redis.IsTryAgainError(err) || redis.IsClusterDownError(err) || redis.IsReadOnlyError(err)
}

// partly says that an error is about one server of several, if it is.
func (s *Store) partly(err error) error {
	if s.isCluster() {
		return errors.Join(ErrPartly, err)
	}
	return err
}

func (s *Store) isCluster() bool {
	_, cluster := s.client.(*redis.ClusterClient)
	return cluster
}

// partitionSet says of each partition whether it is in.
type partitionSet [partitions]bool

var allPartitions = func() (all partitionSet) {
	for p := range all {
		all[p] = true
	}
	return all
}()

// byServer groups partitions by the server that has them; without a Cluster there is one.
func (s *Store) byServer(ctx context.Context, set partitionSet) [][]int {
	cluster, _ := s.client.(*redis.ClusterClient)
	groups := map[string][]int{}
	for p, in := range set {
		if !in {
			continue
		}
		address := ""
		if cluster != nil {
			if server, err := cluster.MasterForKey(ctx, dueName[p]); err == nil {
				address = server.Options().Addr
			}
		}
		groups[address] = append(groups[address], p)
	}
	all := make([][]int, 0, len(groups))
	for _, group := range groups {
		all = append(all, group)
	}
	return all
}

// ask sends each server a pipeline of what add adds for its partitions, and returns of
// which partitions the replies are there. The replies of others must not be looked at:
// they may still come. The error is ErrPartly unless all were asked and none answered.
func (s *Store) ask(ctx context.Context, set partitionSet, add func(pipe redis.Pipeliner, p int)) (got partitionSet, err error) {
	type answer struct {
		partitions []int
		err        error
	}
	groups := s.byServer(ctx, set)
	answers := make(chan answer, len(groups))
	for _, group := range groups {
		go func() {
			_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				for _, p := range group {
					add(pipe, p)
				}
				return nil
			})
			answers <- answer{group, err}
		}()
	}
	var late <-chan time.Time
	if s.isCluster() {
		late = time.After(s.timeout / 2)
	}
	for range groups {
		select {
		case a := <-answers:
			if a.err != nil {
				err = errors.Join(err, a.err)
				continue
			}
			for _, p := range a.partitions {
				got[p] = true
			}
			late = time.After(latecomers)
			continue
		case <-late:
			err = errors.Join(err, context.DeadlineExceeded)
		}
		break
	}
	if err != nil && (got != partitionSet{} || set != allPartitions) {
		err = s.partly(err)
	}
	return got, err
}
