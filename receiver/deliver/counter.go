package deliver

import (
	"context"
	"time"
)

// countEvery is the time between two counts of what is stored.
const countEvery = 5 * time.Second

// counter keeps the gauges of what is stored. They stay as they are while the log
// is away.
type counter struct{ *core }

func (c counter) loop() loop { return loop{core: c.core, do: c.count} }

func (c counter) count(ctx context.Context) (time.Duration, error) {
	if stats, err := c.Store.Stats(ctx); err == nil {
		c.metrics.stored(stats, c.Store.Now())
	}
	return countEvery, nil
}
