package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// roomName is a name under which nothing is ever stored.
var roomName = perPartition("room")

// CheckRoom finds out whether Redis takes writes now, without one: it changes a member of
// sets that don't exist. Redis judges such a command by its memory before it looks at the
// set. In a Cluster every master is asked. The error is ErrFull or ErrUnavailable.
func (s *Store) CheckRoom(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	names := roomName[:1]
	if _, cluster := s.client.(*redis.ClusterClient); cluster {
		names = roomName[:]
	}
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, name := range names {
			pipe.ZAddXX(ctx, name, redis.Z{Member: "room"})
		}
		return nil
	})
	return classify("ask redis whether it takes writes", err)
}
