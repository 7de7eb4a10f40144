package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// CheckPolicy returns a sentence for each setting of Redis with which
// acknowledged events can be lost. With Sentinels it asks the master of now, in
// a Cluster every server, replicas included, and then says which it is about.
// Where CONFIG is not allowed, as with managed services, it says that instead.
// The error is ErrUnavailable.
func (s *Store) CheckPolicy(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return nil, classify("check the settings of redis", err)
	}
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return checkPolicy(ctx, "redis", s.client), nil
	}
	var mu sync.Mutex
	var warnings []string
	err := cluster.ForEachShard(ctx, func(ctx context.Context, server *redis.Client) error {
		found := checkPolicy(ctx, "redis "+server.Options().Addr, server)
		mu.Lock()
		defer mu.Unlock()
		warnings = append(warnings, found...)
		return nil
	})
	slices.Sort(warnings)
	return warnings, classify("check the settings of redis", err)
}

// checkPolicy asks one server, which name stands for.
func checkPolicy(ctx context.Context, name string, server redis.Cmdable) []string {
	var warnings []string
	for _, check := range policyChecks {
		value, err := setting(ctx, server, check.setting)
		_, answered := errors.AsType[redis.Error](err)
		switch {
		case err != nil && !answered:
			return append(warnings, name+" does not answer, so that its settings are not known")
		case err != nil:
			return append(warnings, name+" does not tell its settings (CONFIG GET is refused): make sure that "+
				"maxmemory-policy is noeviction, appendonly is yes and appendfsync is not no")
		case check.risky(value):
			warnings = append(warnings, fmt.Sprintf("%s has %s %q: %s; set it to %s",
				name, check.setting, value, check.consequence, check.advice))
		}
	}
	return warnings
}

// everysec is not among what is risky: it is the operator's choice, and what it
// may lose is bounded. See docs/delivery.md.
var policyChecks = []struct {
	setting             string
	risky               func(value string) bool
	consequence, advice string
}{
	{"maxmemory-policy", func(value string) bool { return value != "noeviction" },
		"it may silently forget acknowledged events", `"noeviction"`},
	{"appendonly", func(value string) bool { return value != "yes" },
		"a restart loses acknowledged events", `"yes"`},
	{"appendfsync", func(value string) bool { return value == "no" },
		"a power loss may lose the acknowledged events of half a minute and more", `"always" or "everysec"`},
}

func setting(ctx context.Context, server redis.Cmdable, name string) (string, error) {
	values, err := server.ConfigGet(ctx, name).Result()
	if err != nil {
		return "", err
	}
	if value, ok := values[name]; ok {
		return value, nil
	}
	return "", redis.Nil
}
