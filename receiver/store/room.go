package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// roomName is a name under which nothing is ever stored.
var roomName = perPartition("room")

// CheckRoom finds out whether Redis takes writes now, without one: it changes a member of
// sets that don't exist. Redis judges such a command by its memory before it looks at the
// set. In a Cluster every master is asked, once. The error is ErrFull or ErrUnavailable.
func (s *Store) CheckRoom(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, server := range s.byServer(ctx, allPartitions) {
			pipe.ZAddXX(ctx, roomName[server[0]], redis.Z{Member: "room"})
		}
		return nil
	})
	return classify("ask redis whether it takes writes", err)
}
