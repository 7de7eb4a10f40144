package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// DefaultWaitTimeout is how long servers have for what Wait asks for. With
// appendfsync everysec a file is up to two seconds behind.
const DefaultWaitTimeout = 2 * time.Second

// maxWaitTimeout keeps an Accept that waits twice within ten seconds, after
// which senders give up.
const maxWaitTimeout = 4 * time.Second

// Wait says how many servers must have an event before Accept vouches for it, be
// it new or a duplicate. The zero Wait asks for nothing but the answer of the
// server that it was sent to.
type Wait struct {
	// Replicas must have the event in memory (WAIT).
	Replicas int
	// LocalAOF, 0 or 1, and ReplicaAOF count the servers that must have the event
	// in their append-only file, on disk: the server itself, and replicas
	// (WAITAOF, from Redis 7.2 on).
	LocalAOF, ReplicaAOF int
	// Timeout is how long they have for it; 0: DefaultWaitTimeout.
	Timeout time.Duration
}

func (w Wait) validate() error {
	switch {
	case w.Replicas < 0 || w.ReplicaAOF < 0:
		return errors.New("the number of replicas to wait for can't be negative")
	case w.LocalAOF < 0 || w.LocalAOF > 1:
		return errors.New("redis has one append-only file: wait for 0 or 1 of its own")
	case w.Timeout < 0 || w.Timeout > maxWaitTimeout:
		return fmt.Errorf("the time to wait for replicas must be at most %s, because senders don't wait for ever", maxWaitTimeout)
	default:
		return nil
	}
}

func (w Wait) enabled() bool { return w.waits() || w.waitsAOF() }

func (w Wait) waits() bool { return w.Replicas > 0 }

func (w Wait) waitsAOF() bool { return w.LocalAOF > 0 || w.ReplicaAOF > 0 }

// flag is what the scripts are told.
func (w Wait) flag() int {
	if w.enabled() {
		return 1
	}
	return 0
}

func (w Wait) milliseconds() int64 {
	if w.Timeout == 0 {
		w.Timeout = DefaultWaitTimeout
	}
	return max(w.Timeout.Milliseconds(), 1) // 0 would be for ever
}

// longest is what all commands may take together.
func (w Wait) longest() time.Duration {
	each := time.Duration(w.milliseconds()) * time.Millisecond
	var all time.Duration
	if w.waits() {
		all += each
	}
	if w.waitsAOF() {
		all += each
	}
	return all
}

// askAgain splits the wait for replicas' files, in milliseconds. A replica that
// is asked says at once what is on its disk, which does not yet hold what has just
// arrived; unasked, it says so only once a second. So it is asked again before that.
var askAgain = []int64{3, 10, 30, 100}

// commands are what is sent after scripts, on their connection. The last WAITAOF
// counts; those before it end when they are answered as asked.
func (w Wait) commands(ctx context.Context) []*redis.Cmd {
	var list []*redis.Cmd
	left := w.milliseconds()
	if w.waits() {
		list = append(list, redis.NewCmd(ctx, "wait", w.Replicas, left))
	}
	if !w.waitsAOF() {
		return list
	}
	for _, step := range askAgain {
		if w.ReplicaAOF > 0 && step < left {
			list = append(list, redis.NewCmd(ctx, "waitaof", w.LocalAOF, w.ReplicaAOF, step))
			left -= step
		}
	}
	return append(list, redis.NewCmd(ctx, "waitaof", w.LocalAOF, w.ReplicaAOF, left))
}

// check reads the replies to commands: nil if enough servers have all that was
// written before, else ErrUnconfirmed.
func (w Wait) check(replies []*redis.Cmd) error {
	for i, reply := range replies {
		if err := reply.Err(); err != nil {
			return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
		}
		switch got := reply.Val().(type) {
		case int64:
			if got < int64(w.Replicas) {
				return fmt.Errorf("%w: %d of %d replicas have it", ErrUnconfirmed, got, w.Replicas)
			}
		case []any:
			if i == len(replies)-1 {
				return w.checkAOF(got)
			}
		default:
			return fmt.Errorf("%w: unexpected reply %v", ErrUnconfirmed, got)
		}
	}
	return nil
}

func (w Wait) checkAOF(reply []any) error {
	if len(reply) != 2 {
		return fmt.Errorf("%w: unexpected reply %v", ErrUnconfirmed, reply)
	}
	local, _ := reply[0].(int64)
	replicas, _ := reply[1].(int64)
	if local < int64(w.LocalAOF) || replicas < int64(w.ReplicaAOF) {
		return fmt.Errorf("%w: %d of %d servers and %d of %d replicas have it on disk",
			ErrUnconfirmed, local, w.LocalAOF, replicas, w.ReplicaAOF)
	}
	return nil
}
