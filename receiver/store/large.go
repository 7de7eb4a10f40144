package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// What is larger than largeBytes goes to Redis, and comes back, on connections of its
// own: on a slow link a body of some megabytes takes seconds, and nothing small may
// stand behind it.
const (
	largeBytes = 128 << 10
	// maxLarge is how many of them are on their way to one server at a time. More would
	// only share the same link, and all of them would be late.
	maxLarge = 4
	// slowest is the least number of bytes a second that a link must have. What takes
	// longer than with that is given up.
	slowest = 4 << 20
	// longestTransfer bounds a step of a large command, in case its context does not.
	longestTransfer = time.Minute
)

// transferTime is how long so many bytes may take, on top of what any command may.
func transferTime(bytes int64) time.Duration {
	if bytes <= largeBytes {
		return 0
	}
	return time.Duration(bytes) * time.Second / slowest
}

// forLarge changes the options of a client into those of one for large commands. The
// context of each says how long it may take.
func forLarge(o *redis.UniversalOptions) {
	o.PoolSize = maxLarge
	o.PipelinePoolSize = -1 // its pipelines take their connections from the same pool
	o.ReadTimeout += longestTransfer
	o.WriteTimeout += longestTransfer
	o.PoolTimeout += longestTransfer
}

// submitLarge runs a command by itself.
func (s *Store) submitLarge(ctx context.Context, cmd *redis.Cmd, _ string) (any, error) {
	if err := s.large.Process(ctx, cmd); err != nil {
		return nil, err
	}
	return cmd.Result()
}

// sizeOf is about what args take on the wire; only records can be large.
func sizeOf(args []any) int64 {
	var size int64
	for _, arg := range args {
		if b, ok := arg.([]byte); ok {
			size += int64(len(b))
		}
	}
	return size
}
