package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// CheckPolicy returns a sentence for each setting of Redis with which
// acknowledged events can be lost. Where CONFIG is not allowed, as with managed
// services, it says that instead. The error is ErrUnavailable.
func (s *Store) CheckPolicy(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return nil, classify("check the settings of redis", err)
	}
	var warnings []string
	for _, check := range policyChecks {
		value, err := s.setting(ctx, check.setting)
		switch {
		case err != nil:
			return append(warnings, "redis does not tell its settings (CONFIG GET is refused): make sure that "+
				"maxmemory-policy is noeviction and appendonly is yes"), nil
		case value != check.want:
			warnings = append(warnings, fmt.Sprintf("redis has %s %q: %s; set it to %q",
				check.setting, value, check.consequence, check.want))
		}
	}
	return warnings, nil
}

var policyChecks = []struct{ setting, want, consequence string }{
	{"maxmemory-policy", "noeviction", "it may silently forget acknowledged events"},
	{"appendonly", "yes", "a restart loses acknowledged events"},
}

func (s *Store) setting(ctx context.Context, name string) (string, error) {
	values, err := s.client.ConfigGet(ctx, name).Result()
	if err != nil {
		return "", err
	}
	if value, ok := values[name]; ok {
		return value, nil
	}
	return "", redis.Nil
}
